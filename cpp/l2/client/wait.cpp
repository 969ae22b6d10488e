#include "l2/client/wait.hpp"

#include <poll.h>

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

base::Error wait_ready(int descriptor, short events, Deadline deadline, short& ready) {
  pollfd entry{.fd = descriptor, .events = events, .revents = 0};
  for (;;) {
    const auto left = deadline - Deadline::clock::now();
    if (left <= Deadline::duration::zero()) {
      return {base::ErrorCode::kTimeout, "the deadline passed"};
    }
    const timespec timeout = to_timespec(left);
    const int count = ppoll(&entry, 1, &timeout, nullptr);
    if (count > 0) {
      ready = entry.revents;
      return {};
    }
    if (count < 0 && errno != EINTR) return socket_error(errno);
  }
}

}  // namespace vcache::l2::client
