#include "l2/session.hpp"

#include <unistd.h>

namespace vcache::l2 {

Session::Session(const RedisOptions& options, const base::Clock& clock)
    : options_(options),
      process_(getpid()),
      facts_(clock),
      errors_(news_, clock),
      node_(
          options,
          {.clock = clock, .facts = facts_, .errors = errors_, .keeper = keeper_, .news = news_}) {}

void Session::close() noexcept {
  node_.pool().close();
  keeper_.stop();
}

void Session::abandon() noexcept { node_.pool().abandon(); }

}  // namespace vcache::l2
