#include "base/clock.hpp"

#include <ctime>

namespace vcache::base {

namespace {

Nanos read(clockid_t id) noexcept {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + Nanos(now.tv_nsec);
}

}  // namespace

Nanos SystemClock::steady() const noexcept { return read(CLOCK_MONOTONIC_COARSE); }

Millis SystemClock::wall() const noexcept {
  return std::chrono::duration_cast<Millis>(read(CLOCK_REALTIME));
}

const Clock& system_clock() noexcept {
  static const SystemClock clock;
  return clock;
}

}  // namespace vcache::base
