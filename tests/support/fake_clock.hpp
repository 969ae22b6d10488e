#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.hpp"

namespace vcache::testing {

// A clock that moves when told to. Thread-safe.
class FakeClock final : public base::Clock {
 public:
  explicit FakeClock(base::Nanos start = std::chrono::seconds(1'000'000'000)) noexcept
      : steady_(start.count()), wall_(start.count()) {}

  [[nodiscard]] base::Nanos steady() const noexcept override { return base::Nanos(steady_.load()); }
  [[nodiscard]] base::Millis wall() const noexcept override {
    return std::chrono::duration_cast<base::Millis>(base::Nanos(wall_.load()));
  }

  void advance(base::Nanos by) noexcept {
    steady_ += by.count();
    wall_ += by.count();
  }
  // The wall clock is set, as by an operator; the steady one does not notice.
  void set_wall(base::Millis now) noexcept { wall_ = base::Nanos(now).count(); }

 private:
  std::atomic<std::int64_t> steady_;
  std::atomic<std::int64_t> wall_;
};

}  // namespace vcache::testing
