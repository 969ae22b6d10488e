#pragma once

#include <poll.h>

#include <atomic>
#include <chrono>
#include <span>

#include "base/result.hpp"
#include "l2/client/deadline.hpp"

namespace vcache::l2::client {

// A wait is made of slices that are no longer; after each, the interruption is asked for.
inline constexpr std::chrono::milliseconds kLongestSlice{50};

// Says whether the calling thread is to stop waiting.
using Interruption = bool (*)() noexcept;

// To be asked by every thread that waits, which then holds no lock of ours. Thread-safe.
void set_interruption(Interruption interruption) noexcept;
// Has the calling thread's waits end also once `stop` is true, for as long as the thread lives.
void interrupt_when(const std::atomic<bool>& stop) noexcept;
// Asks it, if there is one.
[[nodiscard]] bool interrupted() noexcept;

// Waits until poll() has something to say of one of `entries`; only looks at them where one waits
// for no event. kTimeout at the deadline, kInterrupted when the thread is to stop.
[[nodiscard]] base::Error wait_any(std::span<pollfd> entries, Deadline deadline);

// As wait_any, for one descriptor and its `events`; `ready` gets what poll() said.
[[nodiscard]] base::Error wait_ready(int descriptor, short events, Deadline deadline, short& ready);

}  // namespace vcache::l2::client
