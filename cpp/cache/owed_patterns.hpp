#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/fork.hpp"
#include "base/mutex.hpp"

namespace vcache::cache {

// Glob patterns under which the shared tier still has to erase values: until then those of their
// keys are not there for this process. Thread-safe.
class OwedPatterns final : private base::ForkParticipant {
 public:
  [[nodiscard]] bool any() const noexcept { return any_.load(); }
  // Whether one of them takes the key.
  [[nodiscard]] bool take(std::string_view key) const noexcept VCACHE_EXCLUDES(mutex_);
  // False: there are too many. Throws std::bad_alloc.
  [[nodiscard]] bool add(std::string_view pattern) VCACHE_EXCLUDES(mutex_);
  // The oldest; empty: there is none. Throws std::bad_alloc.
  [[nodiscard]] std::string oldest() const VCACHE_EXCLUDES(mutex_);
  // The oldest was seen to.
  void remove_oldest() noexcept VCACHE_EXCLUDES(mutex_);
  void clear() noexcept VCACHE_EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kMost = 100;

  void before_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override { after_fork_in_parent(); }

  // Own synchronization.
  std::atomic<bool> any_{false};

  mutable base::Mutex mutex_;
  std::vector<std::string> patterns_ VCACHE_GUARDED_BY(mutex_);
  base::ForkRegistration fork_registration_{*this};  // last: takes part while all else lives
};

}  // namespace vcache::cache
