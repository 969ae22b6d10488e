#include "l2/errand.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "l2/client/wait.hpp"
#include "l2/node.hpp"

namespace vcache::l2 {

namespace {

// A call that takes this share of the timeout is slow, even when it is answered.
constexpr double kSlowShare = 0.8;

// Replies over the limit that a call does without. Each costs a new connection, and time must be
// left to remove them; those behind them fail, and are met by a later call.
constexpr int kMostSkips = 8;

// The server was not asked, or not given the time to answer.
bool says_nothing(base::ErrorCode code) noexcept {
  return code == base::ErrorCode::kClosed || code == base::ErrorCode::kBusy ||
         code == base::ErrorCode::kInterrupted;
}

}  // namespace

Errand::Errand(Node& node, command::Batch& batch) noexcept
    : node_(node), batch_(batch), permit_(node.breaker().allow()) {
  if (permit_) return;
  over_ = true;
  node_.context().errors.add(ErrorKind::kBreakerOpen);
  error_.code = base::ErrorCode::kBreakerOpen;
  try {
    error_.detail = "the server has not answered lately";
  } catch (const std::exception&) {
    error_.detail.clear();
  }
}

void Errand::run(client::Deadline deadline) noexcept {
  while (!over_) {
    connect(deadline);
    while (under_way()) {
      pollfd entry = wants();
      base::Error error = client::wait_any({&entry, 1}, deadline);
      error.ok() ? step(entry.revents) : give_up(std::move(error));
    }
  }
}

bool Errand::take_idle() noexcept {
  if (over_ || under_way()) return false;
  began_ = client::Deadline::clock::now();
  std::optional<Pool::Lease> idle = node_.pool().take_idle();
  if (!idle) return false;
  lease_.emplace(std::move(*idle));
  try {
    set_off();
  } catch (const std::exception&) {
    fail_here();
  }
  return true;
}

void Errand::connect(client::Deadline deadline) noexcept {
  if (began_ == client::Deadline{}) began_ = client::Deadline::clock::now();
  try {
    base::Result<Pool::Lease> lease = node_.pool().acquire(deadline);
    if (!lease.ok()) {
      node_.on_failure(lease.error());
      return end(lease.error(), lease.error().code);
    }
    lease_.emplace(std::move(lease).value());
    set_off();
  } catch (const std::exception&) {
    fail_here();
  }
}

pollfd Errand::wants() noexcept {
  client::Connection& connection = lease_->connection();
  return {.fd = connection.descriptor(), .events = connection.wants(), .revents = 0};
}

void Errand::step(short ready) noexcept {
  try {
    client::ReplySink& sink = telling_time_ ? static_cast<client::ReplySink&>(*time_) : batch_;
    go_on(lease_->connection().step(sink, ready));
  } catch (const std::exception&) {
    fail_here();
  }
}

void Errand::give_up(base::Error reason) noexcept {
  try {
    end_attempt(lease_->connection().give_up(std::move(reason)));
  } catch (const std::exception&) {
    fail_here();
  }
}

void Errand::set_off() {
  client::Request& request = lease_->connection().request();
  const command::Context& context = node_.context();
  ServerFacts& facts = context.facts;
  telling_time_ = !context.generation_apart && facts.time_is_stale();
  if (telling_time_) {
    facts.keep_time();
    time_.emplace(context);
    time_->append(request);
    return go_on(lease_->connection().start(*time_));
  }
  batch_.append(request);
  go_on(lease_->connection().start(batch_));
}

// After what was sent last went so far.
void Errand::go_on(base::Error error) {
  while (error.ok() && lease_->connection().done()) {
    if (!send_next()) return end_attempt({});
    error = lease_->connection().start(batch_);
  }
  if (!error.ok()) end_attempt(std::move(error));
}

bool Errand::send_next() {
  client::Request& request = lease_->connection().request();
  if (!telling_time_) return batch_.append_next(request);
  telling_time_ = false;
  batch_.append(request);
  return true;
}

void Errand::end_attempt(base::Error error) {
  client::Connection& connection = lease_->connection();
  if (batch_.suspicious()) connection.spend();
  if (error.ok()) {
    lease_.reset();
    return end(batch_.error(), base::ErrorCode::kOk);
  }
  node_.on_failure(error);
  const Retry retry = retry_after(error);
  lease_.reset();
  const bool again = (retry == Retry::kStale && resent_++ == 0) ||
                     (retry == Retry::kOversized && skipped_++ < kMostSkips);
  if (again) return;
  // A server that sends more than we take is well.
  const base::ErrorCode judged = retry == Retry::kOversized ? base::ErrorCode::kOk : error.code;
  end(std::move(error), judged);
}

Errand::Retry Errand::retry_after(const base::Error& error) {
  client::Connection& connection = lease_->connection();
  if (connection.met_oversized() && batch_.skip_oversized()) return Retry::kOversized;
  const bool stale = error.code == base::ErrorCode::kDisconnected && !lease_->fresh();
  return stale && (batch_.repeatable() || connection.wrote_nothing()) ? Retry::kStale : Retry::kNo;
}

void Errand::end(base::Error error, base::ErrorCode judged) {
  over_ = true;
  permit_.report(verdict(judged));
  error_ = std::move(error);
}

// Memory is short: nothing is known of the server.
void Errand::fail_here() noexcept {
  over_ = true;
  lease_.reset();
  permit_.report(Breaker::Verdict::kNone);
  node_.context().errors.add(ErrorKind::kMemory);
  error_ = {base::ErrorCode::kServer};
}

Breaker::Verdict Errand::verdict(base::ErrorCode code) const noexcept {
  const bool refused = code == base::ErrorCode::kAuth;
  if (refused || batch_.health() == client::Health::kCredentials) {
    return Breaker::Verdict::kCredentials;
  }
  if (says_nothing(code)) return Breaker::Verdict::kNone;
  const bool failed = code != base::ErrorCode::kOk;
  if (failed || batch_.health() == client::Health::kFailing) return Breaker::Verdict::kBad;
  const auto elapsed = client::Deadline::clock::now() - began_;
  const bool slow = elapsed > std::chrono::duration<double>(node_.options().timeout) * kSlowShare;
  const bool doubtful = batch_.health() == client::Health::kDoubtful;
  return slow || doubtful ? Breaker::Verdict::kSlow : Breaker::Verdict::kGood;
}

}  // namespace vcache::l2
