#pragma once

#include <poll.h>

#include <span>

#include "base/result.hpp"
#include "l2/client/deadline.hpp"

namespace vcache::l2::client {

// Waits until `descriptor` is ready for one of `events` (POLLIN, POLLOUT) or has an error or a
// hang-up to report; `ready` gets what poll said. kTimeout at the deadline.
[[nodiscard]] base::Error wait_ready(int descriptor, short events, Deadline deadline, short& ready);

// The same for several descriptors: until one of them is ready. Only looks at them where one waits
// for no event.
[[nodiscard]] base::Error wait_any(std::span<pollfd> entries, Deadline deadline);

}  // namespace vcache::l2::client
