#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/mutex.hpp"

namespace vcache::l2 {

// What an operator should read in a log.
struct Event {
  enum class Level : std::uint8_t { kInfo, kWarning };

  Level level = Level::kInfo;
  std::string text;  // names servers and kinds of errors; no key, no password
};

// Events that wait for whoever writes the log, the last few dozen of them. Thread-safe.
class News {
 public:
  void tell(Event event) noexcept VCACHE_EXCLUDES(mutex_);
  // True when take() would return any.
  [[nodiscard]] bool any() const noexcept { return any_.load(std::memory_order_relaxed); }
  // The oldest first. None of them is told again.
  [[nodiscard]] std::vector<Event> take() VCACHE_EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kMost = 64;

  // Own synchronization.
  std::atomic<bool> any_{false};

  base::Mutex mutex_;
  std::deque<Event> events_ VCACHE_GUARDED_BY(mutex_);
};

}  // namespace vcache::l2
