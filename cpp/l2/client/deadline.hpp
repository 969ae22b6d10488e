#pragma once

#include <chrono>

namespace vcache::l2::client {

// When a whole call must have ended. Sockets wait in real time, so this is the kernel's clock and
// not the injected one.
using Deadline = std::chrono::steady_clock::time_point;

}  // namespace vcache::l2::client
