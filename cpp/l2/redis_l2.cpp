#include "l2/redis_l2.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>

#include "l2/command/erase.hpp"
#include "l2/command/fetch.hpp"
#include "l2/command/generation.hpp"
#include "l2/command/probe.hpp"
#include "l2/command/restamp.hpp"
#include "l2/command/store.hpp"
#include "l2/command/touch.hpp"
#include "l2/node.hpp"

namespace vcache::l2 {

namespace {

class RedisL2 final : public L2 {
 public:
  RedisL2(RedisOptions options, const base::Clock& clock)
      : options_(std::move(options)), clock_(clock), node_(new Node(options_, clock_)) {}
  ~RedisL2() override;

  base::Error fetch(std::span<const std::string_view> keys, FetchSink& sink) noexcept override;
  base::Error store(WriteSource& writes, std::span<Outcome> outcomes) noexcept override;
  base::Error erase(std::span<const std::string_view> keys,
                    std::span<Outcome> outcomes) noexcept override;
  base::Error touch(std::string_view key, base::Millis ttl, Outcome& outcome) noexcept override;
  base::Error clear() noexcept override;
  [[nodiscard]] Status status(bool probe) noexcept override;
  void close() noexcept override;

 private:
  // The node of this process, or why there is none.
  [[nodiscard]] Node* node(base::Error& error) noexcept;
  [[nodiscard]] Node* replace(Node* parents);
  [[nodiscard]] base::Error step_generation(Node& node, client::Deadline deadline) noexcept;
  // Makes up for clears that failed. An error means that what they ended may still be there.
  [[nodiscard]] base::Error pay_clears(Node& node, client::Deadline deadline) noexcept;

  // Constant after construction.
  const RedisOptions options_;
  const base::Clock& clock_;

  // Own synchronization.
  std::atomic<Node*> node_;  // owned; replaced in a forked child
  std::atomic<bool> closed_{false};
  std::atomic<std::uint64_t> clears_failed_{0};
  std::atomic<std::uint64_t> clears_paid_{0};  // of those, how many a later step made up for
};

// Answers for all keys.
void all_absent(FetchSink& sink, std::size_t keys, Outcome outcome) noexcept {
  for (std::size_t i = 0; i < keys; ++i) sink.on_absent(i, outcome);
}

RedisL2::~RedisL2() {
  Node* node = node_.load(std::memory_order_acquire);
  if (node->process() == getpid()) {
    delete node;
  } else {
    node->pool().abandon();
  }
}

Node* RedisL2::node(base::Error& error) noexcept {
  if (closed_.load(std::memory_order_acquire)) {
    error.code = base::ErrorCode::kClosed;
    return nullptr;
  }
  Node* current = node_.load(std::memory_order_acquire);
  if (current->process() == getpid()) return current;
  try {
    return replace(current);
  } catch (const std::exception&) {
    error.code = base::ErrorCode::kServer;
    return nullptr;
  }
}

// The connections and locks of a parent process are not ours: a child gets a node of its own. The
// parent's is left as it lies, since one of its locks may be held for ever.
Node* RedisL2::replace(Node* parents) {
  auto fresh = std::make_unique<Node>(options_, clock_);
  if (!node_.compare_exchange_strong(parents, fresh.get(), std::memory_order_acq_rel)) {
    return parents;  // another thread was first: this is its node
  }
  parents->pool().abandon();
  return fresh.release();
}

base::Error RedisL2::fetch(std::span<const std::string_view> keys, FetchSink& sink) noexcept {
  base::Error error;
  Node* const target = node(error);
  if (target == nullptr) {
    all_absent(sink, keys.size(), outcome_of(error.code));
    return error;
  }
  if (keys.empty()) return error;
  const client::Deadline deadline = target->deadline();
  if (error = pay_clears(*target, deadline); !error.ok()) {
    all_absent(sink, keys.size(), Outcome::kSkipped);
    return error;
  }
  command::Fetch batch(target->context(), keys, sink);
  error = target->run(batch, deadline);
  batch.finish(outcome_of(error.code));
  if (!batch.spoiled().empty()) {
    command::Remove removal(target->context(), batch.spoiled());
    (void)target->run(removal, deadline);  // what stays is refused again
  }
  return error;
}

base::Error RedisL2::store(WriteSource& writes, std::span<Outcome> outcomes) noexcept {
  base::Error error;
  Node* const target = node(error);
  if (target != nullptr && target->writes_paused()) {
    error = {base::ErrorCode::kServer};
    std::ranges::fill(outcomes, Outcome::kSkipped);
    return error;
  }
  if (target == nullptr || writes.size() == 0) {
    std::ranges::fill(outcomes, outcome_of(error.code));
    return error;
  }
  const client::Deadline deadline = target->deadline();
  if (error = pay_clears(*target, deadline); !error.ok()) {
    std::ranges::fill(outcomes, Outcome::kSkipped);
    return error;
  }
  command::Store batch(target->context(), writes, outcomes);
  error = target->run(batch, deadline);
  batch.finish(outcome_of(error.code));
  if (batch.outdated()) {
    error = target->run(batch, deadline);
    batch.finish(outcome_of(error.code));
  }
  if (batch.refusal()) target->on_write_refused(*batch.refusal());
  return error;
}

base::Error RedisL2::erase(std::span<const std::string_view> keys,
                           std::span<Outcome> outcomes) noexcept {
  base::Error error;
  Node* const target = node(error);
  if (target == nullptr || keys.empty()) {
    std::ranges::fill(outcomes, outcome_of(error.code));
    return error;
  }
  command::Erase batch(target->context(), keys, outcomes);
  error = target->run(batch, target->deadline());
  batch.finish(outcome_of(error.code));
  return error;
}

base::Error RedisL2::touch(std::string_view key, base::Millis ttl, Outcome& outcome) noexcept {
  base::Error error;
  Node* const target = node(error);
  if (target == nullptr) {
    outcome = outcome_of(error.code);
    return error;
  }
  const client::Deadline deadline = target->deadline();
  if (error = pay_clears(*target, deadline); !error.ok()) {
    outcome = Outcome::kSkipped;
    return error;
  }
  command::Touch batch(target->context(), key, ttl);
  error = target->run(batch, deadline);
  outcome = batch.outcome().value_or(outcome_of(error.code));
  const bool changed = outcome == Outcome::kHit && ttl >= base::Millis::zero();
  if (changed && !target->writes_paused()) {
    command::Restamp header(target->context(), key, ttl);
    (void)target->run(header, deadline);  // without it only Redis' own TTL is changed
  }
  return error;
}

base::Error RedisL2::clear() noexcept {
  base::Error error;
  Node* const target = node(error);
  if (target != nullptr) error = step_generation(*target, target->deadline());
  if (!error.ok()) clears_failed_.fetch_add(1);
  return error;
}

base::Error RedisL2::step_generation(Node& node, client::Deadline deadline) noexcept {
  const std::uint64_t failed = clears_failed_.load();
  command::ReadGeneration last(node.context());
  base::Error error = node.run(last, deadline);
  if (!error.ok()) return error;
  command::WriteGeneration next(node.context(), node.facts().generation_after(last.generation()));
  error = node.run(next, deadline);
  std::uint64_t paid = clears_paid_.load();
  while (error.ok() && paid < failed && !clears_paid_.compare_exchange_weak(paid, failed)) {
  }
  return error;
}

base::Error RedisL2::pay_clears(Node& node, client::Deadline deadline) noexcept {
  if (clears_paid_.load() >= clears_failed_.load()) return {};
  return step_generation(node, deadline);
}

Status RedisL2::status(bool probe) noexcept {
  Status out;
  Node* const target = node(out.error);
  if (target == nullptr) return out;
  try {
    if (probe) {
      command::Probe batch(target->context());
      base::Error error = target->run(batch, target->deadline());
      out.outcome = batch.answered() ? Outcome::kHit : outcome_of(error.code);
      if (!batch.answered()) out.error = std::move(error);
      out.server = batch.take_figures();
    }
    out.breaker = to_string(target->breaker().state());
    out.errors = target->errors().snapshot();
    out.connections = target->pool().connections();
  } catch (const std::exception&) {
    out.error.code = base::ErrorCode::kServer;
  }
  return out;
}

void RedisL2::close() noexcept {
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  Node* const current = node_.load(std::memory_order_acquire);
  if (current->process() == getpid()) current->pool().close();
}

}  // namespace

std::unique_ptr<L2> make_redis_l2(RedisOptions options, const base::Clock& clock) {
  return std::make_unique<RedisL2>(std::move(options), clock);
}

}  // namespace vcache::l2
