#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fork.hpp"
#include "base/mutex.hpp"

namespace vcache::l2 {

// Invalidations that the shared tier was not told of, and has to be before anything is read from it
// or stored there. Each has a number, in the order in which they came. Thread-safe.
class Owed final : private base::ForkParticipant {
 public:
  struct Debts {
    bool clear = false;  // which covers all others
    std::vector<std::string> tags = {};
    std::uint64_t last = 0;  // all up to that number
  };

  [[nodiscard]] bool any() const noexcept { return any_.load(); }
  void add_clear() noexcept VCACHE_EXCLUDES(mutex_);
  void add_tags(std::span<const std::string_view> tags) noexcept VCACHE_EXCLUDES(mutex_);
  // A clear, or else the oldest tags, up to so many. Throws std::bad_alloc.
  [[nodiscard]] Debts oldest(std::size_t tags) const VCACHE_EXCLUDES(mutex_);
  // The number of the newest.
  [[nodiscard]] std::uint64_t last() const noexcept VCACHE_EXCLUDES(mutex_);
  // Those up to that number are paid.
  void settle(std::uint64_t last) noexcept VCACHE_EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kMostTags = 10'000;  // more than that are a clear

  struct Tag {
    std::uint64_t number;
    std::string name;
  };

  void add_clear_locked() noexcept VCACHE_REQUIRES(mutex_);

  void before_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override { after_fork_in_parent(); }

  // Own synchronization.
  std::atomic<bool> any_{false};

  mutable base::Mutex mutex_;
  std::uint64_t last_ VCACHE_GUARDED_BY(mutex_) = 0;
  std::uint64_t clear_ VCACHE_GUARDED_BY(mutex_) = 0;  // the number of the last; 0: none is owed
  std::deque<Tag> tags_ VCACHE_GUARDED_BY(mutex_);     // those after it
  base::ForkRegistration fork_registration_{*this};    // last: takes part while all else lives
};

}  // namespace vcache::l2
