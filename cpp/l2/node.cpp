#include "l2/node.hpp"

#include <algorithm>
#include <random>

#include "l2/errand.hpp"

namespace vcache::l2 {

namespace {

constexpr base::Nanos kWritePause = std::chrono::seconds(1);
constexpr base::Nanos kBetweenRenewals = std::chrono::seconds(1);

// What a call may take beyond its timeout on a busy machine.
constexpr base::Millis kTimeoutSlack{500};

// A probe may take as long as any other call before another one replaces it.
Breaker::Options breaker_options(const RedisOptions& options) noexcept {
  Breaker::Options out;
  out.probe_limit = std::max(out.probe_limit, options.timeout + kTimeoutSlack);
  return out;
}

bool is_from_transport(base::ErrorCode code) noexcept {
  return code != base::ErrorCode::kServer && code != base::ErrorCode::kAuth &&
         code != base::ErrorCode::kClosed && code != base::ErrorCode::kInterrupted;
}

}  // namespace

Node::Node(const RedisOptions& options, const base::Clock& clock, ServerFacts& facts,
           ErrorCounters& errors)
    : options_(options),
      clock_(clock),
      facts_(facts),
      errors_(errors),
      context_(options.namespace_name, options.max_value, facts_, errors_, options.packing),
      dialer_(options_, context_),
      pool_(dialer_, options.pool_size),
      breaker_(clock, breaker_options(options), std::random_device{}()) {}

base::Error Node::run(command::Batch& batch, client::Deadline deadline) noexcept {
  Errand errand(*this, batch);
  errand.run(deadline);
  return errand.take_error();
}

void Node::on_failure(const base::Error& error) noexcept {
  if (is_from_transport(error.code)) errors_.add(kind_of(error.code));
  // The others were made before the server went away: they are dead, or soon found to be.
  if (error.code == base::ErrorCode::kDisconnected) pool_.invalidate();
}

void Node::on_write_refused(ErrorKind kind) noexcept {
  const std::int64_t now = clock_.steady().count();
  if (kind == ErrorKind::kOom) {
    paused_until_.store(now + kWritePause.count(), std::memory_order_relaxed);
  } else if (kind == ErrorKind::kReadOnly) {
    std::int64_t last = renewed_.load(std::memory_order_relaxed);
    const bool due = last == 0 || now - last >= kBetweenRenewals.count();
    if (due && renewed_.compare_exchange_strong(last, now)) pool_.invalidate();
  }
}

bool Node::writes_paused() const noexcept {
  return clock_.steady().count() < paused_until_.load(std::memory_order_relaxed);
}

}  // namespace vcache::l2
