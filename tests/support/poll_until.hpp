#pragma once

#include <poll.h>

#include <chrono>

namespace vcache::testing {

// Asks `done` again and again until it says yes; false when that took longer than `limit`.
template <class Condition>
[[nodiscard]] bool poll_until(Condition done,
                              std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

}  // namespace vcache::testing
