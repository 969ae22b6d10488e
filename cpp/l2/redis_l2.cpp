#include "l2/redis_l2.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>
#include <vector>

#include "l2/command/erase.hpp"
#include "l2/command/fetch.hpp"
#include "l2/command/generation.hpp"
#include "l2/command/lease.hpp"
#include "l2/command/probe.hpp"
#include "l2/command/restamp.hpp"
#include "l2/command/store.hpp"
#include "l2/command/touch.hpp"
#include "l2/lease_watch.hpp"
#include "l2/session.hpp"
#include "l2/silence.hpp"
#include "l2/spread.hpp"

namespace vcache::l2 {

namespace {

class RedisL2 final : public L2, private Leases {
 public:
  RedisL2(RedisOptions options, const base::Clock& clock, Listener& listener)
      : options_(std::move(options)),
        clock_(clock),
        listener_(listener),
        session_(new Session(options_, clock_, listener_)) {
    silence_.follow(session_.load()->only_breaker());
  }
  ~RedisL2() override;

  base::Error fetch(std::span<const std::string_view> keys, FetchSink& sink) noexcept override;
  base::Error store(WriteSource& writes, std::span<Outcome> outcomes) noexcept override;
  base::Error erase(std::span<const std::string_view> keys,
                    std::span<Outcome> outcomes) noexcept override;
  base::Error touch(std::string_view key, base::Millis ttl, Outcome& outcome) noexcept override;
  base::Error clear() noexcept override;
  [[nodiscard]] Status status(bool probe) noexcept override;
  [[nodiscard]] Leases& leases() noexcept override { return *this; }
  void close() noexcept override;
  [[nodiscard]] bool skips(std::string_view key) noexcept override;
  [[nodiscard]] bool is_silent() const noexcept override { return silence_.holds(); }
  [[nodiscard]] Keeper* keeper() noexcept override;
  [[nodiscard]] bool has_news() const noexcept override {
    return session_.load(std::memory_order_acquire)->news().any();
  }
  [[nodiscard]] std::vector<Event> take_news() override;

 private:
  void take(std::span<const std::string_view> keys, const LeaseTerms& terms,
            std::span<Grant> grants) noexcept override;
  void give_up(std::span<const std::string_view> keys, std::string_view token) noexcept override;
  [[nodiscard]] std::unique_ptr<LeaseWait> watch(std::span<const std::string_view> keys) override;

  // The session of this process, in use from now on; or why there is none.
  [[nodiscard]] Session* session(base::Error& error) noexcept;
  [[nodiscard]] Session* find_session(base::Error& error) noexcept;
  [[nodiscard]] Session* replace(Session* parents);
  base::Error fetch_from_one(Session& mine, std::span<const std::string_view> keys, FetchSink& sink,
                             client::Deadline deadline) noexcept;
  base::Error store_on_one(Session& mine, WriteSource& writes, std::span<Outcome> outcomes,
                           client::Deadline deadline) noexcept;
  base::Error touch_on_one(Session& mine, std::string_view key, base::Millis ttl, Outcome& outcome,
                           client::Deadline deadline) noexcept;
  static void ask_server(Session& mine, client::Deadline deadline, Status& out);
  [[nodiscard]] base::Error step_generation(Session& session, client::Deadline deadline) noexcept;
  // Waits until it is known where keys lie, and makes up for clears that failed. An error means
  // that nobody can be asked, or that what those clears ended may still be there.
  [[nodiscard]] base::Error prepare(Session& session, client::Deadline deadline) noexcept;

  // Constant after construction.
  const RedisOptions options_;
  const base::Clock& clock_;
  Listener& listener_;

  // Own synchronization.
  std::atomic<Session*> session_;  // owned; replaced in a forked child
  Silence silence_;
  std::atomic<bool> closed_{false};
  std::atomic<std::uint64_t> clears_failed_{0};
  std::atomic<std::uint64_t> clears_paid_{0};  // of those, how many a later step made up for
};

// What a call that runs in C++ alone ends with: memory is short.
template <class Call>
base::Error guarded(Call call) noexcept {
  try {
    return call();
  } catch (const std::exception&) {
    return {base::ErrorCode::kServer};
  }
}

// Answers for all keys.
void all_absent(FetchSink& sink, std::size_t keys, Outcome outcome) noexcept {
  for (std::size_t i = 0; i < keys; ++i) sink.on_absent(i, outcome);
}

RedisL2::~RedisL2() {
  Session* session = session_.load(std::memory_order_acquire);
  if (session->process() == getpid()) {
    delete session;
  } else {
    session->abandon();
  }
}

Session* RedisL2::session(base::Error& error) noexcept {
  Session* const found = find_session(error);
  if (found != nullptr) found->begin();
  return found;
}

Session* RedisL2::find_session(base::Error& error) noexcept {
  if (closed_.load(std::memory_order_acquire)) {
    error.code = base::ErrorCode::kClosed;
    return nullptr;
  }
  Session* current = session_.load(std::memory_order_acquire);
  if (current->process() == getpid()) return current;
  try {
    return replace(current);
  } catch (const std::exception&) {
    error.code = base::ErrorCode::kServer;
    return nullptr;
  }
}

// The connections and locks of a parent process are not ours: a child gets a session of its own.
// The parent's is left as it lies, since one of its locks may be held for ever.
Session* RedisL2::replace(Session* parents) {
  auto fresh = std::make_unique<Session>(options_, clock_, listener_);
  if (!session_.compare_exchange_strong(parents, fresh.get(), std::memory_order_acq_rel)) {
    return parents;  // another thread was first: this is its session
  }
  parents->abandon();
  silence_.follow(fresh->only_breaker());
  return fresh.release();
}

base::Error RedisL2::fetch(std::span<const std::string_view> keys, FetchSink& sink) noexcept {
  base::Error error;
  Session* const mine = session(error);
  if (mine == nullptr) {
    all_absent(sink, keys.size(), outcome_of(error.code));
    return error;
  }
  if (keys.empty()) return error;
  const client::Deadline deadline = mine->deadline();
  if (error = prepare(*mine, deadline); !error.ok()) {
    all_absent(sink, keys.size(), Outcome::kSkipped);
    return error;
  }
  if (!mine->several()) return fetch_from_one(*mine, keys, sink, deadline);
  return guarded([&] { return Spread(*mine, deadline).fetch(keys, sink); });
}

base::Error RedisL2::fetch_from_one(Session& mine, std::span<const std::string_view> keys,
                                    FetchSink& sink, client::Deadline deadline) noexcept {
  Node& node = mine.node();
  command::Fetch batch(node.context(), keys, sink);
  base::Error error = node.run(batch, deadline);
  if (!error.ok()) mine.on_trouble();
  batch.finish(outcome_of(error.code));
  if (!batch.spoiled().empty()) {
    command::Remove removal(node.context(), batch.spoiled());
    (void)node.run(removal, deadline);  // what stays is refused again
  }
  return error;
}

base::Error RedisL2::store(WriteSource& writes, std::span<Outcome> outcomes) noexcept {
  base::Error error;
  Session* const mine = session(error);
  if (mine == nullptr || writes.size() == 0) {
    std::ranges::fill(outcomes, outcome_of(error.code));
    return error;
  }
  const client::Deadline deadline = mine->deadline();
  const bool paused = !mine->several() && mine->node().writes_paused();
  error = paused ? base::Error{base::ErrorCode::kServer} : prepare(*mine, deadline);
  if (!error.ok()) {
    std::ranges::fill(outcomes, Outcome::kSkipped);
    return error;
  }
  if (!mine->several()) return store_on_one(*mine, writes, outcomes, deadline);
  return guarded([&] { return Spread(*mine, deadline).store(writes, outcomes); });
}

base::Error RedisL2::store_on_one(Session& mine, WriteSource& writes, std::span<Outcome> outcomes,
                                  client::Deadline deadline) noexcept {
  Node& node = mine.node();
  command::Store batch(node.context(), writes, outcomes);
  base::Error error = node.run(batch, deadline);
  batch.finish(outcome_of(error.code));
  if (batch.outdated()) {
    error = node.run(batch, deadline);
    batch.finish(outcome_of(error.code));
  }
  if (batch.refusal()) node.on_write_refused(*batch.refusal());
  if (!error.ok()) mine.on_trouble();
  return error;
}

base::Error RedisL2::erase(std::span<const std::string_view> keys,
                           std::span<Outcome> outcomes) noexcept {
  base::Error error;
  Session* const mine = session(error);
  if (mine == nullptr || keys.empty()) {
    std::ranges::fill(outcomes, outcome_of(error.code));
    return error;
  }
  const client::Deadline deadline = mine->deadline();
  if (error = mine->ready(deadline); !error.ok()) {
    std::ranges::fill(outcomes, Outcome::kSkipped);
    return error;
  }
  if (mine->several()) {
    return guarded([&] { return Spread(*mine, deadline).erase(keys, outcomes); });
  }
  command::Erase batch(mine->node().context(), keys, outcomes);
  error = mine->node().run(batch, deadline);
  if (!error.ok()) mine->on_trouble();
  batch.finish(outcome_of(error.code));
  return error;
}

base::Error RedisL2::touch(std::string_view key, base::Millis ttl, Outcome& outcome) noexcept {
  base::Error error;
  Session* const mine = session(error);
  if (mine == nullptr) {
    outcome = outcome_of(error.code);
    return error;
  }
  const client::Deadline deadline = mine->deadline();
  if (error = prepare(*mine, deadline); !error.ok()) {
    outcome = Outcome::kSkipped;
    return error;
  }
  if (!mine->several()) return touch_on_one(*mine, key, ttl, outcome, deadline);
  return guarded([&] { return Spread(*mine, deadline).touch(key, ttl, outcome); });
}

base::Error RedisL2::touch_on_one(Session& mine, std::string_view key, base::Millis ttl,
                                  Outcome& outcome, client::Deadline deadline) noexcept {
  Node& node = mine.node();
  command::Touch batch(node.context(), key, ttl);
  base::Error error = node.run(batch, deadline);
  outcome = batch.outcome().value_or(outcome_of(error.code));
  const bool changed = outcome == Outcome::kHit && ttl >= base::Millis::zero();
  if (changed && !node.writes_paused()) {
    command::Restamp header(node.context(), key, ttl);
    (void)node.run(header, deadline);  // without it only Redis' own TTL is changed
  }
  if (!error.ok()) mine.on_trouble();
  return error;
}

base::Error RedisL2::clear() noexcept {
  base::Error error;
  Session* const mine = session(error);
  if (mine != nullptr) {
    const client::Deadline deadline = mine->deadline();
    error = mine->ready(deadline);
    if (error.ok()) error = step_generation(*mine, deadline);
  }
  if (!error.ok()) clears_failed_.fetch_add(1);
  return error;
}

base::Error RedisL2::step_generation(Session& session, client::Deadline deadline) noexcept {
  const std::uint64_t failed = clears_failed_.load();
  const command::Context& context = session.node().context();
  command::ReadGeneration last(context);
  base::Error error = session.run_own(last, deadline);
  if (!error.ok()) return error;
  command::WriteGeneration next(context, session.facts().generation_after(last.generation()));
  error = session.run_own(next, deadline);
  std::uint64_t paid = clears_paid_.load();
  while (error.ok() && paid < failed && !clears_paid_.compare_exchange_weak(paid, failed)) {
  }
  return error;
}

// Clears are made up for by one thread at a time: the step of a second one would end what the first
// one stores behind its own.
base::Error RedisL2::prepare(Session& session, client::Deadline deadline) noexcept {
  if (base::Error error = session.ready(deadline); !error.ok()) return error;
  const auto paid = [this] { return clears_paid_.load() >= clears_failed_.load(); };
  if (paid()) return {};
  if (session.clearing().exchange(true)) return {base::ErrorCode::kBusy};
  base::Error error = paid() ? base::Error{} : step_generation(session, deadline);
  session.clearing().store(false);
  return error;
}

// Leases lie with the namespace's own keys: of several servers the one that holds these knows
// nothing of values elsewhere.
void RedisL2::take(std::span<const std::string_view> keys, const LeaseTerms& terms,
                   std::span<Grant> grants) noexcept {
  std::ranges::fill(grants, Grant::kUnknown);
  base::Error error;
  Session* const mine = session(error);
  if (mine == nullptr || keys.empty()) return;
  const client::Deadline deadline = mine->deadline();
  if (!mine->ready(deadline).ok() || mine->node().writes_paused()) return;
  LeaseTerms asked = terms;
  asked.unless_stored = asked.unless_stored && !mine->several();
  command::TakeLeases batch(mine->node().context(), keys, asked, grants);
  (void)mine->run_own(batch, deadline);
}

void RedisL2::give_up(std::span<const std::string_view> keys, std::string_view token) noexcept {
  base::Error error;
  Session* const mine = session(error);
  if (mine == nullptr || keys.empty()) return;
  command::GiveUpLeases batch(mine->node().context(), keys, token);
  (void)mine->run_own(batch, mine->deadline());  // what stays runs out
}

std::unique_ptr<LeaseWait> RedisL2::watch(std::span<const std::string_view> keys) {
  base::Error error;
  Session* const mine = session(error);
  if (mine == nullptr) return no_leases().watch(keys);
  return std::make_unique<LeaseWatch>(*mine, keys);
}

Status RedisL2::status(bool probe) noexcept {
  Status out;
  Session* const mine = probe ? session(out.error) : find_session(out.error);
  if (mine == nullptr) return out;
  try {
    const client::Deadline deadline = mine->deadline();
    if (probe) out.error = mine->ready(deadline);
    if (probe && out.error.ok()) ask_server(*mine, deadline, out);
    mine->describe(out);
  } catch (const std::exception&) {
    out.error.code = base::ErrorCode::kServer;
  }
  return out;
}

bool RedisL2::skips(std::string_view /*key*/) noexcept {
  base::Error ignored;
  Session* const mine = session(ignored);
  if (mine == nullptr || !mine->node().breaker().refuses()) return false;
  mine->errors().add(ErrorKind::kBreakerOpen);
  return true;
}

Keeper* RedisL2::keeper() noexcept {
  base::Error ignored;
  Session* const mine = session(ignored);
  return mine == nullptr ? nullptr : &mine->keeper();
}

std::vector<Event> RedisL2::take_news() {
  Session* const current = session_.load(std::memory_order_acquire);
  return current->process() == getpid() ? current->news().take() : std::vector<Event>();
}

void RedisL2::ask_server(Session& mine, client::Deadline deadline, Status& out) {
  if (mine.several()) return Spread(mine, deadline).probe(out);
  command::Probe batch(mine.node().context());
  base::Error error = mine.node().run(batch, deadline);
  out.outcome = batch.answered() ? Outcome::kHit : outcome_of(error.code);
  if (!batch.answered()) out.error = std::move(error);
  out.server = batch.take_figures();
}

void RedisL2::close() noexcept {
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  Session* const current = session_.load(std::memory_order_acquire);
  if (current->process() == getpid()) current->close();
}

}  // namespace

std::unique_ptr<L2> make_redis_l2(RedisOptions options, const base::Clock& clock,
                                  Listener& listener) {
  return std::make_unique<RedisL2>(std::move(options), clock, listener);
}

}  // namespace vcache::l2
