#pragma once

#include <memory>

#include "base/clock.hpp"
#include "l2/l2.hpp"
#include "l2/listener.hpp"
#include "l2/redis_options.hpp"

namespace vcache::l2 {

// L2 over Redis, of any layout. Opens no connection before the first call. `clock` must outlive it;
// it drives the breaker and the times in headers, while sockets wait on the kernel's own clock.
// `listener` must outlive it too. Requires: options.validate().ok().
[[nodiscard]] std::unique_ptr<L2> make_redis_l2(RedisOptions options, const base::Clock& clock,
                                                Listener& listener = deaf_listener());

}  // namespace vcache::l2
