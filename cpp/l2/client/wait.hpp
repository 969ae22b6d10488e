#pragma once

#include "base/result.hpp"
#include "l2/client/deadline.hpp"

namespace vcache::l2::client {

// Waits until `descriptor` is ready for one of `events` (POLLIN, POLLOUT) or has an error or a
// hang-up to report; `ready` gets what poll said. kTimeout at the deadline.
[[nodiscard]] base::Error wait_ready(int descriptor, short events, Deadline deadline, short& ready);

}  // namespace vcache::l2::client
