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
  hold(std::move(*idle));
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
    const auto patience =
        batch_.is_worth_waiting() ? Pool::Patience::kHalf : Pool::Patience::kBrief;
    base::Result<Pool::Lease> lease = node_.pool().acquire(deadline, patience);
    if (!lease.ok()) {
      node_.on_failure(lease.error());
      return end(lease.error(), lease.error().code);
    }
    hold(std::move(lease).value());
    set_off();
  } catch (const std::exception&) {
    fail_here();
  }
}

pollfd Errand::wants() noexcept {
  client::Connection& connection = held_->connection();
  return {.fd = connection.descriptor(), .events = connection.wants(), .revents = 0};
}

void Errand::step(short ready) noexcept {
  try {
    client::ReplySink& sink =
        telling_time_ != nullptr ? static_cast<client::ReplySink&>(*telling_time_) : batch_;
    go_on(held_->connection().step(sink, ready));
  } catch (const std::exception&) {
    fail_here();
  }
}

void Errand::give_up(base::Error reason) noexcept {
  try {
    end_attempt(held_->connection().give_up(std::move(reason)));
  } catch (const std::exception&) {
    fail_here();
  }
}

void Errand::set_off() {
  client::Request& request = held_->connection().request();
  const command::Context& context = node_.context();
  ServerFacts& facts = context.facts;
  telling_time_ = nullptr;
  if (!context.generation_apart && facts.time_is_stale()) {
    facts.keep_time();
    telling_time_ = &time_.emplace(context);
    telling_time_->append(request);
    return go_on(held_->connection().start(*telling_time_));
  }
  batch_.append(request);
  go_on(held_->connection().start(batch_));
}

// After what was sent last went so far.
void Errand::go_on(base::Error error) {
  while (error.ok() && held_->connection().done()) {
    if (!send_next()) return end_attempt({});
    error = held_->connection().start(batch_);
  }
  if (!error.ok()) end_attempt(std::move(error));
}

bool Errand::send_next() {
  client::Request& request = held_->connection().request();
  if (telling_time_ == nullptr) return batch_.append_next(request);
  telling_time_ = nullptr;
  batch_.append(request);
  return true;
}

void Errand::end_attempt(base::Error error) {
  client::Connection& connection = held_->connection();
  if (batch_.suspicious()) connection.spend();
  if (error.ok()) {
    let_go();
    return end(batch_.error(), base::ErrorCode::kOk);
  }
  node_.on_failure(error);
  const Retry retry = retry_after(error);
  let_go();
  const bool again = (retry == Retry::kStale && resent_++ == 0) ||
                     (retry == Retry::kOversized && skipped_++ < kMostSkips);
  if (again) return;
  // A server that sends more than we take is well.
  const base::ErrorCode judged = retry == Retry::kOversized ? base::ErrorCode::kOk : error.code;
  end(std::move(error), judged);
}

Errand::Retry Errand::retry_after(const base::Error& error) {
  const client::Connection& connection = held_->connection();
  if (connection.met_oversized() && batch_.skip_oversized()) return Retry::kOversized;
  const bool stale = error.code == base::ErrorCode::kDisconnected && !held_->fresh();
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
  let_go();
  permit_.report(Breaker::Verdict::kNone);
  node_.context().errors.add(ErrorKind::kMemory);
  error_ = {base::ErrorCode::kServer};
}

void Errand::hold(Pool::Lease lease) noexcept { held_ = &lease_.emplace(std::move(lease)); }

void Errand::let_go() noexcept {
  held_ = nullptr;
  lease_.reset();
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
