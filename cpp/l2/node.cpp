#include "l2/node.hpp"

#include <algorithm>
#include <exception>
#include <random>

#include "l2/command/time.hpp"

namespace vcache::l2 {

namespace {

constexpr base::Nanos kWritePause = std::chrono::seconds(1);
constexpr base::Nanos kBetweenRenewals = std::chrono::seconds(1);

// A call that takes this share of the timeout is slow, even when it is answered.
constexpr double kSlowShare = 0.8;

// Replies over the limit that a call does without. Each costs a new connection, and time must be
// left to remove them; those behind them fail, and are met by a later call.
constexpr int kMostSkips = 8;

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
         code != base::ErrorCode::kClosed;
}

}  // namespace

Node::Node(const RedisOptions& options, const base::Clock& clock, ServerFacts& facts,
           ErrorCounters& errors)
    : options_(options),
      clock_(clock),
      facts_(facts),
      errors_(errors),
      context_(options.namespace_name, options.max_value, facts_, errors_),
      dialer_(options_, context_),
      pool_(dialer_, options.pool_size),
      breaker_(clock, breaker_options(options), std::random_device{}()) {}

base::Error Node::run(command::Batch& batch, client::Deadline deadline) noexcept {
  Breaker::Permit permit = breaker_.allow();
  try {
    if (!permit) {
      errors_.add(ErrorKind::kBreakerOpen);
      return {base::ErrorCode::kBreakerOpen, "the server has not answered lately"};
    }
    const auto start = client::Deadline::clock::now();
    Retry retry = Retry::kNo;
    base::Error error = run_permitted(batch, deadline, retry);
    // A server that sends more than we take is well.
    const base::ErrorCode code = retry == Retry::kOversized ? base::ErrorCode::kOk : error.code;
    permit.report(judge(code, batch, client::Deadline::clock::now() - start));
    if (error.ok()) return batch.error();
    return error;
  } catch (const std::exception&) {
    errors_.add(ErrorKind::kMemory);
    return {base::ErrorCode::kServer};
  }
}

// `retry` is the one of the last attempt, which was not followed by another.
base::Error Node::run_permitted(command::Batch& batch, client::Deadline deadline, Retry& retry) {
  for (int skipped = 0, resent = 0;;) {
    base::Error error = attempt(batch, deadline, retry);
    const bool again = (retry == Retry::kStale && resent++ == 0) ||
                       (retry == Retry::kOversized && skipped++ < kMostSkips);
    if (!again) return error;
  }
}

base::Error Node::attempt(command::Batch& batch, client::Deadline deadline, Retry& retry) {
  retry = Retry::kNo;
  base::Result<Pool::Lease> lease = pool_.acquire(deadline);
  if (!lease.ok()) {
    on_failure(lease.error());
    return lease.error();
  }
  client::Connection& connection = lease.value().connection();
  base::Error error = exchange(lease.value(), batch, deadline);
  if (batch.suspicious()) connection.spend();
  if (error.ok()) return error;
  on_failure(error);
  const bool stale = error.code == base::ErrorCode::kDisconnected && !lease.value().fresh();
  if (stale && (batch.repeatable() || connection.wrote_nothing())) retry = Retry::kStale;
  if (connection.met_oversized() && batch.skip_oversized()) retry = Retry::kOversized;
  return error;
}

base::Error Node::exchange(Pool::Lease& lease, command::Batch& batch, client::Deadline deadline) {
  client::Connection& connection = lease.connection();
  if (facts_.time_is_stale()) {
    facts_.keep_time();
    command::ReadTime time(context_);
    time.append(connection.request());
    base::Error error = connection.exchange(time, deadline);
    if (!error.ok()) return error;
  }
  batch.append(connection.request());
  base::Error error = connection.exchange(batch, deadline);
  while (error.ok() && batch.append_next(connection.request())) {
    error = connection.exchange(batch, deadline);
  }
  return error;
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

Breaker::Verdict Node::judge(base::ErrorCode code, const command::Batch& batch,
                             client::Deadline::duration elapsed) const noexcept {
  const bool refused = code == base::ErrorCode::kAuth;
  if (refused || batch.health() == client::Health::kCredentials) {
    return Breaker::Verdict::kCredentials;
  }
  if (code == base::ErrorCode::kClosed) return Breaker::Verdict::kNone;
  if (code == base::ErrorCode::kBusy) return Breaker::Verdict::kNone;
  const bool failed = code != base::ErrorCode::kOk;
  if (failed || batch.health() == client::Health::kFailing) return Breaker::Verdict::kBad;
  const bool slow = elapsed > std::chrono::duration<double>(options_.timeout) * kSlowShare;
  const bool doubtful = batch.health() == client::Health::kDoubtful;
  return slow || doubtful ? Breaker::Verdict::kSlow : Breaker::Verdict::kGood;
}

}  // namespace vcache::l2
