#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/clock.hpp"
#include "l2/tracking/own_writes.hpp"

namespace vcache::l2 {

// What is known of a server: how far its clock is from ours, the generation and the stamp of our
// namespace there (0: it has none), and what this process wrote to it last. Thread-safe.
class ServerFacts {
 public:
  explicit ServerFacts(const base::Clock& clock) noexcept : clock_(clock) {}

  // The server's time; our own until set_time() was called.
  [[nodiscard]] base::Millis now() const noexcept {
    return clock_.wall() + base::Millis(offset_.load(std::memory_order_relaxed));
  }
  void set_time(base::Millis server) noexcept {
    offset_.store((server - clock_.wall()).count(), std::memory_order_relaxed);
    keep_time();
  }
  // The time known stays good for now.
  void keep_time() noexcept { synced_.store(clock_.steady().count(), std::memory_order_relaxed); }
  // True when the server's time should be asked for again.
  [[nodiscard]] bool time_is_stale() const noexcept {
    const base::Nanos age = clock_.steady() - base::Nanos(synced_.load(std::memory_order_relaxed));
    return age >= kTimeLife;
  }

  [[nodiscard]] std::uint64_t generation() const noexcept {
    return generation_.load(std::memory_order_relaxed);
  }
  void set_generation(std::uint64_t generation) noexcept {
    generation_.store(generation, std::memory_order_relaxed);
  }
  // The latest stamp of the namespace that is known; 0: none is.
  [[nodiscard]] std::uint64_t stamp() const noexcept {
    return stamp_.load(std::memory_order_relaxed);
  }
  // What is older than that known is old news.
  void set_stamp(std::uint64_t stamp) noexcept {
    std::uint64_t known = stamp_.load(std::memory_order_relaxed);
    while (known < stamp &&
           !stamp_.compare_exchange_weak(known, stamp, std::memory_order_relaxed)) {
    }
  }
  [[nodiscard]] tracking::OwnWrites& own_writes() noexcept { return own_writes_; }
  // A generation or a stamp later than `last`: the server's time in microseconds, or one more than
  // `last`. What is less than a millisecond comes from another clock: it only has to differ.
  [[nodiscard]] std::uint64_t generation_after(std::uint64_t last) const noexcept {
    const auto fraction = std::chrono::steady_clock::now().time_since_epoch() % base::Millis(1);
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now() + fraction);
    const std::uint64_t next = last < kLastGeneration ? last + 1 : 1;
    return std::max(static_cast<std::uint64_t>(std::max<std::int64_t>(micros.count(), 1)), next);
  }

 private:
  static constexpr base::Nanos kTimeLife = std::chrono::seconds(60);
  static constexpr std::uint64_t kLastGeneration = INT64_MAX;  // of a number that Redis takes

  const base::Clock& clock_;
  std::atomic<std::int64_t> offset_{0};
  std::atomic<std::int64_t> synced_{0};
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<std::uint64_t> stamp_{0};
  tracking::OwnWrites own_writes_;
};

}  // namespace vcache::l2
