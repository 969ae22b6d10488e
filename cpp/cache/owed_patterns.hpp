#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fork.hpp"
#include "base/mutex.hpp"
#include "l2/l2.hpp"

namespace vcache::cache {

// Glob patterns under which the shared tier still has to erase values: until then those of their
// keys are not there for this process. Thread-safe.
class OwedPatterns final : private base::ForkParticipant {
 public:
  struct Debt {
    std::uint64_t number = 0;
    std::string pattern;
    l2::L2::Progress progress = {};
  };

  [[nodiscard]] bool any() const noexcept { return any_.load(); }
  // Whether one of them takes the key.
  [[nodiscard]] bool take(std::string_view key) const noexcept VCACHE_EXCLUDES(mutex_);
  // As a new debt, also where the same is owed already. False: there are too many. Throws
  // std::bad_alloc.
  [[nodiscard]] bool add(std::string_view pattern, const l2::L2::Progress& progress)
      VCACHE_EXCLUDES(mutex_);
  // Nothing: none is owed. Throws std::bad_alloc.
  [[nodiscard]] std::optional<Debt> oldest() const VCACHE_EXCLUDES(mutex_);
  // That debt is still owed, but not by the servers of this progress.
  void keep(const Debt& debt) VCACHE_EXCLUDES(mutex_);
  // That debt is paid.
  void settle(std::uint64_t number) noexcept VCACHE_EXCLUDES(mutex_);
  void clear() noexcept VCACHE_EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kMost = 100;

  void before_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override { after_fork_in_parent(); }

  // Own synchronization.
  std::atomic<bool> any_{false};

  mutable base::Mutex mutex_;
  std::uint64_t last_ VCACHE_GUARDED_BY(mutex_) = 0;
  std::vector<Debt> debts_ VCACHE_GUARDED_BY(mutex_);  // the oldest first
  base::ForkRegistration fork_registration_{*this};    // last: takes part while all else lives
};

}  // namespace vcache::cache
