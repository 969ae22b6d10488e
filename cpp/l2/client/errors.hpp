#pragma once

#include "base/result.hpp"

namespace vcache::l2::client {

// The error of a socket call.
[[nodiscard]] base::Error socket_error(int error_number);

// The peer sent all it will send.
[[nodiscard]] base::Error closed_error();

}  // namespace vcache::l2::client
