#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/annotations.hpp"

namespace vcache::base {

// std::mutex with thread-safety attributes. For critical sections that may block or allocate.
class VCACHE_CAPABILITY("mutex") Mutex {
 public:
  void lock() VCACHE_ACQUIRE() { mutex_.lock(); }
  void unlock() VCACHE_RELEASE() { mutex_.unlock(); }
  [[nodiscard]] bool try_lock() VCACHE_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  std::mutex mutex_;
};

// Test-and-test-and-set lock whose release is a plain store: half the cost of std::mutex when
// free. For critical sections of about a microsecond without I/O; a waiter yields its time slice
// after a short spin, so a preempted holder can finish.
class VCACHE_CAPABILITY("mutex") SpinMutex {
 public:
  void lock() VCACHE_ACQUIRE() {
    while (locked_.exchange(true, std::memory_order_acquire)) wait();
  }
  void unlock() VCACHE_RELEASE() { locked_.store(false, std::memory_order_release); }
  [[nodiscard]] bool try_lock() VCACHE_TRY_ACQUIRE(true) {
    return !locked_.exchange(true, std::memory_order_acquire);
  }

 private:
  void wait() const noexcept {
    for (int spins = 0; locked_.load(std::memory_order_relaxed); ++spins) {
      if (spins >= kSpinsBeforeYield) std::this_thread::yield();
    }
  }

  static constexpr int kSpinsBeforeYield = 64;
  std::atomic<bool> locked_{false};
};

// Holds `M` for its own lifetime.
template <class M>
class VCACHE_SCOPED_CAPABILITY LockGuard {
 public:
  explicit LockGuard(M& mutex) VCACHE_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~LockGuard() VCACHE_RELEASE() { mutex_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  M& mutex_;
};

using MutexLock = LockGuard<Mutex>;
using SpinLock = LockGuard<SpinMutex>;

// Condition variable for `Mutex`.
class CondVar {
 public:
  // False when `deadline` passed first. Spurious wake-ups happen: callers test in a loop.
  template <class ClockPoint>
  bool wait_until(Mutex& mutex, const ClockPoint& deadline) VCACHE_REQUIRES(mutex) {
    return cv_.wait_until(mutex, deadline) == std::cv_status::no_timeout;
  }
  void notify_one() noexcept { cv_.notify_one(); }
  void notify_all() noexcept { cv_.notify_all(); }

 private:
  std::condition_variable_any cv_;
};

}  // namespace vcache::base
