#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.hpp"

namespace vcache::l2 {

// Who waits for a change of which keys, so that whoever hears of changes can wake them. Keys are
// told apart by their hash: a waiter may be woken for nothing. Thread-safe.
//
// Belongs to the process that made it: in a forked child, which has none of the threads that wait
// and may lack the one that holds the lock, nobody is notified and no wait lasts.
class KeyWaiters {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // One wait for any of several keys; notifications count from its construction on.
  class Ticket {
   public:
    // `waiters` outlives it.
    Ticket(KeyWaiters& waiters, std::span<const std::string_view> keys);
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

    // True as soon as one of the keys was notified of, and in a forked child; false when `until`
    // passed first.
    [[nodiscard]] bool wait_until(Time until);
    [[nodiscard]] bool notified() const noexcept {
      return notified_.load(std::memory_order_acquire);
    }

   private:
    friend class KeyWaiters;

    KeyWaiters& waiters_;
    std::vector<std::uint64_t> hashes_;
    std::atomic<bool> notified_{false};  // set under the lock of `waiters_`
  };

  // A key, or its lease, changed.
  void notify(std::string_view key) noexcept VCACHE_EXCLUDES(mutex_);
  // Any key may have.
  void notify_all() noexcept VCACHE_EXCLUDES(mutex_);

  // Whether changes are told of as they happen. Until then waiters have to ask.
  void set_told(bool told) noexcept { told_.store(told, std::memory_order_relaxed); }
  [[nodiscard]] bool told() const noexcept { return told_.load(std::memory_order_relaxed); }

 private:
  void remove(std::uint64_t hash, const Ticket& ticket) VCACHE_REQUIRES(mutex_);
  [[nodiscard]] bool foreign() const noexcept { return getpid() != process_; }

  const pid_t process_ = getpid();

  // Own synchronization.
  std::atomic<std::size_t> count_{0};  // of tickets; none: notify() takes no lock
  std::atomic<bool> told_{false};

  base::Mutex mutex_;
  base::CondVar woken_;
  std::unordered_multimap<std::uint64_t, Ticket*> tickets_ VCACHE_GUARDED_BY(mutex_);
};

}  // namespace vcache::l2
