#include "l2/client/wait.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "l2/client/errors.hpp"

namespace vcache::l2::client {

namespace {

timespec to_timespec(Deadline::duration duration) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(duration - seconds);
  return {.tv_sec = seconds.count(), .tv_nsec = rest.count()};
}

}  // namespace

base::Error wait_any(std::span<pollfd> entries, Deadline deadline) {
  const bool idle =
      std::ranges::all_of(entries, [](const pollfd& entry) { return entry.events != 0; });
  for (;;) {
    const auto left = deadline - Deadline::clock::now();
    if (left <= Deadline::duration::zero()) {
      return {base::ErrorCode::kTimeout, "the deadline passed"};
    }
    const timespec timeout = idle ? to_timespec(left) : timespec{};
    const int count = ppoll(entries.data(), entries.size(), &timeout, nullptr);
    if (count > 0 || (count == 0 && !idle)) return {};
    if (count < 0 && errno != EINTR) return socket_error(errno);
  }
}

base::Error wait_ready(int descriptor, short events, Deadline deadline, short& ready) {
  pollfd entry{.fd = descriptor, .events = events, .revents = 0};
  base::Error error = wait_any({&entry, 1}, deadline);
  ready = entry.revents;
  return error;
}

}  // namespace vcache::l2::client
