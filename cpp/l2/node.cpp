#include "l2/node.hpp"

#include <algorithm>
#include <random>
#include <utility>

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

Event left_alone(const std::string& address, Breaker::Verdict cause) {
  const bool refused = cause == Breaker::Verdict::kCredentials;
  return {.level = Event::Level::kWarning,
          .text = address + (refused ? " refuses our credentials" : " does not answer") +
                  ": nothing is asked of it until it does better"};
}

Event answers_again(const std::string& address, base::Nanos away) {
  const auto millis = std::chrono::duration_cast<base::Millis>(away);
  return {.level = Event::Level::kInfo,
          .text = address + " answers again, after " + std::to_string(millis.count()) + " ms"};
}

}  // namespace

Node::Node(RedisOptions options, const Shared& shared)
    : options_(std::move(options)),
      clock_(shared.clock),
      errors_(shared.errors),
      keeper_(shared.keeper),
      news_(shared.news),
      context_(options_.namespace_name, options_.max_value, shared.facts, errors_, options_.layout,
               options_.packing, options_.grace),
      dialer_(options_, context_),
      pool_(dialer_, options_.pool_size),
      breaker_(clock_, breaker_options(options_), std::random_device{}(),
               [this](auto state, auto cause) { on_breaker(state, cause); }),
      prober_(breaker_, dialer_, context_, options_.timeout) {}

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

void Node::on_breaker(Breaker::State state, Breaker::Verdict cause) noexcept {
  const base::Nanos now = clock_.steady();
  try {
    if (state == Breaker::State::kClosed) {
      const base::Nanos away = now - base::Nanos(opened_.load(std::memory_order_relaxed));
      return news_.tell(answers_again(options_.address(), away));
    }
    opened_.store(now.count(), std::memory_order_relaxed);
    if (attended_.load()) have_it_probed();
    pool_.invalidate();  // where the network lost them, each would cost a timeout later
    news_.tell(left_alone(options_.address(), cause));
  } catch (const std::exception&) {
    errors_.add(ErrorKind::kMemory);  // nobody is told
  }
}

void Node::have_it_probed() noexcept {
  if (keeper_.add(prober_)) breaker_.leave_probes_to_others();
}

// An opening that is under way may have it probed once more: until the next call of this.
void Node::attend(bool wanted) noexcept {
  const bool before = attended_.exchange(wanted);
  if (wanted) {
    if (!before && breaker_.state() != Breaker::State::kClosed) have_it_probed();
    return;
  }
  keeper_.remove(prober_);
  breaker_.let_requests_probe();
  if (before) pool_.invalidate();
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
