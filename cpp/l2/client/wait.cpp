#include "l2/client/wait.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "base/interruption.hpp"
#include "l2/client/errors.hpp"

namespace vcache::l2::client {

namespace {

using Duration = Deadline::duration;

// What this thread has waited since it last asked. Many short waits count as one long one does.
thread_local Duration waited = Duration::zero();

timespec to_timespec(Duration duration) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(duration - seconds);
  return {.tv_sec = seconds.count(), .tv_nsec = rest.count()};
}

bool interrupted_by_now() noexcept {
  if (waited < kLongestSlice) return false;
  waited = Duration::zero();
  return base::interrupted();
}

}  // namespace

base::Error wait_any(std::span<pollfd> entries, Deadline deadline) {
  const bool idle =
      std::ranges::all_of(entries, [](const pollfd& entry) { return entry.events != 0; });
  auto now = Deadline::clock::now();
  for (;;) {
    if (interrupted_by_now()) return {base::ErrorCode::kInterrupted, "a signal came"};
    const Duration left = deadline - now;
    if (left <= Duration::zero()) return {base::ErrorCode::kTimeout, "the deadline passed"};
    const timespec slice =
        idle ? to_timespec(std::min<Duration>(left, kLongestSlice - waited)) : timespec{};
    const int count = ppoll(entries.data(), entries.size(), &slice, nullptr);
    const int error_number = errno;
    const auto start = std::exchange(now, Deadline::clock::now());
    waited += now - start;
    if (count > 0 || (count == 0 && !idle)) return {};
    if (count < 0 && error_number != EINTR) return socket_error(error_number);
  }
}

base::Error wait_ready(int descriptor, short events, Deadline deadline, short& ready) {
  pollfd entry{.fd = descriptor, .events = events, .revents = 0};
  base::Error error = wait_any({&entry, 1}, deadline);
  ready = entry.revents;
  return error;
}

}  // namespace vcache::l2::client
