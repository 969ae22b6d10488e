#pragma once

#include <hiredis/hiredis.h>

#include "base/result.hpp"

namespace vcache::l2::client {

// The error of a hiredis context, given the errno it left.
[[nodiscard]] base::Error context_error(const redisContext& context, int error_number);

// The error of a socket call.
[[nodiscard]] base::Error socket_error(int error_number);

}  // namespace vcache::l2::client
