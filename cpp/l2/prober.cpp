#include "l2/prober.hpp"

#include <algorithm>
#include <exception>
#include <optional>

#include "l2/command/ping.hpp"

namespace vcache::l2 {

namespace {

// While the breaker is closed: it wakes the prober when it opens.
constexpr base::Millis kIdle = std::chrono::hours(24);

// While it is not, the breaker is asked this often: it may go by another clock than the keeper.
constexpr base::Millis kLook{100};

}  // namespace

base::Millis Prober::run() noexcept {
  if (Breaker::Permit permit = breaker_.allow_probe()) {
    try {
      permit.report(probe());
    } catch (const std::exception&) {
      permit.report(Breaker::Verdict::kBad);  // memory is short: later
    }
  }
  const std::optional<base::Nanos> next = breaker_.next_probe();
  return next ? std::min(std::chrono::ceil<base::Millis>(*next), kLook) : kIdle;
}

Breaker::Verdict Prober::probe() {
  const client::Deadline deadline = client::Deadline::clock::now() + timeout_;
  base::Result<client::Connection> connection = dialer_.dial(deadline);
  if (!connection.ok()) {
    const bool refused = connection.error().code == base::ErrorCode::kAuth;
    return refused ? Breaker::Verdict::kCredentials : Breaker::Verdict::kBad;
  }
  command::Ping ping(context_);
  ping.append(connection.value().request());
  if (!connection.value().exchange(ping, deadline).ok()) return Breaker::Verdict::kBad;
  switch (ping.health()) {
    case client::Health::kCredentials:
      return Breaker::Verdict::kCredentials;
    case client::Health::kFailing:
      return Breaker::Verdict::kBad;
    default:
      return Breaker::Verdict::kGood;
  }
}

}  // namespace vcache::l2
