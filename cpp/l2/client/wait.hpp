#pragma once

#include <poll.h>

#include <chrono>
#include <span>

#include "base/result.hpp"
#include "l2/client/deadline.hpp"

namespace vcache::l2::client {

// A wait is made of slices that are no longer; after each, base::interrupted() is asked.
inline constexpr std::chrono::milliseconds kLongestSlice{50};

// Waits until poll() has something to say of one of `entries`; only looks at them where one waits
// for no event. kTimeout at the deadline, kInterrupted when the thread is to stop.
[[nodiscard]] base::Error wait_any(std::span<pollfd> entries, Deadline deadline);

// As wait_any, for one descriptor and its `events`; `ready` gets what poll() said.
[[nodiscard]] base::Error wait_ready(int descriptor, short events, Deadline deadline, short& ready);

}  // namespace vcache::l2::client
