#pragma once

#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fork.hpp"
#include "base/mutex.hpp"

namespace vcache::l2 {

// Invalidations that the shared tier was not told of, and has to be before anything is read from it
// or stored there. Thread-safe.
class Owed final : private base::ForkParticipant {
 public:
  struct Debts {
    bool clear = false;             // which covers all tags
    std::vector<std::string> tags;  // may be in there several times
  };

  // True while anything is owed or being paid.
  [[nodiscard]] bool any() const noexcept { return any_.load(); }
  void add_clear() noexcept VCACHE_EXCLUDES(mutex_);
  void add_tags(std::span<const std::string_view> tags) noexcept VCACHE_EXCLUDES(mutex_);
  // What is to be paid now; then settle() or, when that failed, owe() is due. By one thread at a
  // time.
  [[nodiscard]] Debts take() noexcept VCACHE_EXCLUDES(mutex_);
  void settle() noexcept VCACHE_EXCLUDES(mutex_);
  void owe(const Debts& debts) noexcept VCACHE_EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kMostTags = 10'000;  // more than that are a clear

  template <class Names>
  void add_locked(const Names& tags) noexcept VCACHE_REQUIRES(mutex_);

  void before_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override { after_fork_in_parent(); }

  // Own synchronization.
  std::atomic<bool> any_{false};

  base::Mutex mutex_;
  Debts debts_ VCACHE_GUARDED_BY(mutex_);
  base::ForkRegistration fork_registration_{*this};  // last: takes part while all else lives
};

}  // namespace vcache::l2
