#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace vcache::base {

using Nanos = std::chrono::nanoseconds;
using Millis = std::chrono::milliseconds;

// Source of time. Thread-safe. Tests inject their own.
class Clock {
 public:
  Clock() = default;
  virtual ~Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

  // Never goes back; for expiry in L1, deadlines and the breaker. Resolution: 4 ms or better.
  [[nodiscard]] virtual Nanos steady() const noexcept = 0;
  // Time since the Unix epoch; for what other hosts read.
  [[nodiscard]] virtual Millis wall() const noexcept = 0;
};

// The kernel's clocks. steady() reads the coarse one (a load instead of a counter read).
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Nanos steady() const noexcept override;
  [[nodiscard]] Millis wall() const noexcept override;
};

// Stands still until advanced; for tests and replays.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Nanos start) noexcept : now_(start.count()) {}

  void advance(Nanos by) noexcept { now_.fetch_add(by.count()); }
  [[nodiscard]] Nanos steady() const noexcept override { return Nanos(now_.load()); }
  [[nodiscard]] Millis wall() const noexcept override {
    return std::chrono::duration_cast<Millis>(steady());
  }

 private:
  std::atomic<Nanos::rep> now_;
};

[[nodiscard]] const Clock& system_clock() noexcept;

}  // namespace vcache::base
