#include "l2/session.hpp"

#include <unistd.h>

namespace vcache::l2 {

Session::Session(const RedisOptions& options, const base::Clock& clock)
    : options_(options),
      process_(getpid()),
      facts_(clock),
      node_(options, clock, facts_, errors_) {}

void Session::close() noexcept { node_.pool().close(); }

void Session::abandon() noexcept { node_.pool().abandon(); }

}  // namespace vcache::l2
