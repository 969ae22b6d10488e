#include "l2/redis_l2.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>
#include <vector>

#include "base/guarded.hpp"
#include "base/tags.hpp"
#include "l2/command/erase.hpp"
#include "l2/command/fetch.hpp"
#include "l2/command/probe.hpp"
#include "l2/command/restamp.hpp"
#include "l2/command/store.hpp"
#include "l2/command/touch.hpp"
#include "l2/invalidation.hpp"
#include "l2/listing.hpp"
#include "l2/owed.hpp"
#include "l2/redis_blobs.hpp"
#include "l2/redis_leases.hpp"
#include "l2/session.hpp"
#include "l2/session_slot.hpp"
#include "l2/spread.hpp"

namespace vcache::l2 {

namespace {

using base::guarded;

class RedisL2 final : public L2 {
 public:
  RedisL2(RedisOptions options, const base::Clock& clock, Listener& listener)
      : session_(std::move(options), clock, listener) {}

  base::Error fetch(std::span<const std::string_view> keys, FetchSink& sink) noexcept override;
  base::Error store(WriteSource& writes, std::span<Outcome> outcomes) noexcept override;
  base::Error erase(std::span<const std::string_view> keys,
                    std::span<Outcome> outcomes) noexcept override;
  base::Error touch(std::string_view key, base::Millis ttl, Outcome& outcome) noexcept override;
  base::Error clear() noexcept override;
  base::Error take_stamp(std::span<const std::string_view> tags, base::Millis ttl,
                         std::uint64_t& stamp) noexcept override;
  base::Error invalidate_tags(std::span<const std::string_view> tags) noexcept override;
  [[nodiscard]] bool owes() const noexcept override { return owed_.any(); }
  base::Error pay() noexcept override;
  base::Error erase_matching(std::string_view pattern, std::vector<std::string>& erased,
                             Progress& progress) noexcept override;
  base::Error look(std::span<const std::string_view> keys,
                   std::span<Outcome> outcomes) noexcept override;
  base::Error list(std::string_view pattern, Page& page) noexcept override;
  [[nodiscard]] Status status(bool probe) noexcept override;
  [[nodiscard]] Leases& leases() noexcept override { return leases_; }
  [[nodiscard]] Blobs& blobs() noexcept override { return blobs_; }
  void close() noexcept override { session_.close(); }
  [[nodiscard]] bool skips(std::string_view key) noexcept override;
  [[nodiscard]] bool is_silent() const noexcept override { return session_.is_silent(); }
  [[nodiscard]] base::Keeper* keeper() noexcept override;
  [[nodiscard]] bool has_news() const noexcept override { return session_.current().news().any(); }
  [[nodiscard]] std::vector<Event> take_news() override;

 private:
  static base::Error fetch_from_one(Session& mine, std::span<const std::string_view> keys,
                                    FetchSink& sink, client::Deadline deadline) noexcept;
  base::Error store_on_one(Session& mine, WriteSource& writes, std::span<Outcome> outcomes,
                           client::Deadline deadline) noexcept;
  base::Error touch_on_one(Session& mine, std::string_view key, base::Millis ttl, Outcome& outcome,
                           bool& has_tags, client::Deadline deadline) noexcept;
  // Whether a value with tags is current; then its tags are kept for that TTL, if it is one.
  static base::Error judge_touched(Session& mine, std::string_view key, base::Millis ttl,
                                   Outcome& outcome, client::Deadline deadline);
  static base::Error fetch_by(Session& mine, std::span<const std::string_view> keys,
                              FetchSink& sink, client::Deadline deadline) noexcept;
  static void ask_server(Session& mine, client::Deadline deadline, Status& out);
  // Waits until it is known where keys lie, and makes up for invalidations that failed. An error
  // means that nobody can be asked, or that what those ended may still be there.
  [[nodiscard]] base::Error prepare(Session& session, client::Deadline deadline) noexcept;
  [[nodiscard]] base::Error settle(Session& session, client::Deadline deadline);

  // Own synchronization.
  SessionSlot session_;
  Owed owed_;
  RedisLeases leases_{session_};
  RedisBlobs blobs_{session_};
};

std::vector<std::string_view> views_of(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

// The tags of the value that a fetch of one key finds.
class TagsOf final : public FetchSink {
 public:
  void on_value(std::size_t /*index*/, const StoredValue& stored) noexcept override {
    outcome = stored.stale ? Outcome::kExpired : Outcome::kHit;
    try {
      tags.assign(stored.value.tags.begin(), stored.value.tags.end());
    } catch (const std::exception&) {
      tags.clear();  // they may go before the value, which is a miss then
    }
  }
  void on_absent(std::size_t /*index*/, Outcome reason) noexcept override { outcome = reason; }

  Outcome outcome = Outcome::kMiss;
  std::vector<std::byte> tags;
};

// Answers for all keys.
void all_absent(FetchSink& sink, std::size_t keys, Outcome outcome) noexcept {
  for (std::size_t i = 0; i < keys; ++i) sink.on_absent(i, outcome);
}

base::Error RedisL2::fetch(std::span<const std::string_view> keys, FetchSink& sink) noexcept {
  base::Error error;
  Session* const mine = session_.begin(error);
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
  return fetch_by(*mine, keys, sink, deadline);
}

base::Error RedisL2::fetch_by(Session& mine, std::span<const std::string_view> keys,
                              FetchSink& sink, client::Deadline deadline) noexcept {
  if (!mine.several()) return fetch_from_one(mine, keys, sink, deadline);
  return Spread(mine, deadline).fetch(keys, sink);
}

base::Error RedisL2::fetch_from_one(Session& mine, std::span<const std::string_view> keys,
                                    FetchSink& sink, client::Deadline deadline) noexcept {
  Node& node = mine.node();
  codec::Unpacker unpacker = command::unpacker_of(node.context());
  command::Fetch batch(node.context(), keys, sink, unpacker);
  base::Error error = node.run(batch, deadline);
  if (!error.ok()) mine.on_trouble();
  batch.finish(outcome_of(error.code));
  std::array<command::Fetch*, 1> all{&batch};
  base::Error of_tags = release_held(mine, all, deadline);
  if (error.ok()) error = std::move(of_tags);
  if (!batch.spoiled().empty()) {
    command::Remove removal(node.context(), batch.spoiled());
    (void)node.run(removal, deadline);  // what stays is refused again
  }
  return error;
}

base::Error RedisL2::store(WriteSource& writes, std::span<Outcome> outcomes) noexcept {
  base::Error error;
  Session* const mine = session_.begin(error);
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
  codec::Packer packer(node.context().packing);
  command::Store batch(node.context(), writes, outcomes, packer);
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
  Session* const mine = session_.begin(error);
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
  Session* const mine = session_.begin(error);
  if (mine == nullptr) {
    outcome = outcome_of(error.code);
    return error;
  }
  const client::Deadline deadline = mine->deadline();
  if (error = prepare(*mine, deadline); !error.ok()) {
    outcome = Outcome::kSkipped;
    return error;
  }
  bool has_tags = false;
  if (mine->several()) {
    error = guarded([&] { return Spread(*mine, deadline).touch(key, ttl, outcome, has_tags); });
  } else {
    error = touch_on_one(*mine, key, ttl, outcome, has_tags, deadline);
  }
  if (outcome != Outcome::kHit || !has_tags) return error;
  return guarded([&] { return judge_touched(*mine, key, ttl, outcome, deadline); });
}

base::Error RedisL2::judge_touched(Session& mine, std::string_view key, base::Millis ttl,
                                   Outcome& outcome, client::Deadline deadline) {
  TagsOf found;
  base::Error error = fetch_by(mine, {&key, 1}, found, deadline);
  outcome = found.outcome;
  if (outcome != Outcome::kHit || ttl < base::Millis::zero()) return error;
  std::uint64_t stamp = 0;
  return l2::take_stamp(mine, base::decode_tags(found.tags), ttl, deadline, stamp);
}

base::Error RedisL2::touch_on_one(Session& mine, std::string_view key, base::Millis ttl,
                                  Outcome& outcome, bool& has_tags,
                                  client::Deadline deadline) noexcept {
  Node& node = mine.node();
  command::Touch batch(node.context(), key, ttl);
  base::Error error = node.run(batch, deadline);
  has_tags = batch.has_tags();
  outcome = batch.outcome().value_or(outcome_of(error.code));
  const bool changed = outcome == Outcome::kHit && ttl >= base::Millis::zero();
  if (changed && !node.writes_paused()) {
    command::Restamp header(node.context(), key, ttl);
    (void)node.run(header, deadline);  // without it only Redis' own TTL is changed
  }
  if (!error.ok()) mine.on_trouble();
  return error;
}

// It makes up for all that was owed before.
base::Error RedisL2::clear() noexcept {
  base::Error error;
  Session* const mine = session_.begin(error);
  const std::uint64_t owed = owed_.last();
  if (mine != nullptr) {
    const client::Deadline deadline = mine->deadline();
    error = mine->ready(deadline);
    if (error.ok()) error = step_generation(*mine, deadline);
  }
  error.ok() ? owed_.settle(owed) : owed_.add_clear();
  return error;
}

base::Error RedisL2::take_stamp(std::span<const std::string_view> tags, base::Millis ttl,
                                std::uint64_t& stamp) noexcept {
  base::Error error;
  Session* const mine = session_.begin(error);
  stamp = mine == nullptr ? 0 : mine->facts().stamp();
  if (mine == nullptr) return error;
  const client::Deadline deadline = mine->deadline();
  if (error = prepare(*mine, deadline); !error.ok()) return error;
  return guarded([&] { return l2::take_stamp(*mine, tags, ttl, deadline, stamp); });
}

base::Error RedisL2::invalidate_tags(std::span<const std::string_view> tags) noexcept {
  base::Error error;
  Session* const mine = session_.begin(error);
  while (mine != nullptr && error.ok() && !tags.empty()) {
    const auto some = tags.first(std::min(tags.size(), kTagsAtOnce));
    const client::Deadline deadline = mine->deadline();
    error = prepare(*mine, deadline);
    if (error.ok()) error = guarded([&] { return step_stamp(*mine, some, deadline); });
    if (error.ok()) tags = tags.subspan(some.size());
  }
  if (!tags.empty()) owed_.add_tags(tags);
  return error;
}

base::Error RedisL2::erase_matching(std::string_view pattern, std::vector<std::string>& erased,
                                    Progress& progress) noexcept {
  base::Error error;
  Session* const mine = session_.begin(error);
  if (mine == nullptr) return error;
  if (error = mine->ready(mine->deadline()); !error.ok()) return error;
  const Erasure erase_keys = [this](std::span<const std::string_view> keys,
                                    std::span<Outcome> outcomes) { return erase(keys, outcomes); };
  return guarded([&] { return l2::erase_matching(*mine, pattern, erase_keys, erased, progress); });
}

base::Error RedisL2::look(std::span<const std::string_view> keys,
                          std::span<Outcome> outcomes) noexcept {
  base::Error error;
  Session* const mine = session_.begin(error);
  if (mine == nullptr || keys.empty()) {
    std::ranges::fill(outcomes, outcome_of(error.code));
    return error;
  }
  const client::Deadline deadline = mine->deadline();
  if (error = prepare(*mine, deadline); !error.ok()) {
    std::ranges::fill(outcomes, Outcome::kSkipped);
    return error;
  }
  const Fetching fetch = [mine, deadline](std::span<const std::string_view> some, FetchSink& sink) {
    return fetch_by(*mine, some, sink, deadline);
  };
  return guarded([&] { return l2::look(*mine, keys, outcomes, fetch, deadline); });
}

base::Error RedisL2::list(std::string_view pattern, Page& page) noexcept {
  base::Error error;
  Session* const mine = session_.begin(error);
  if (mine == nullptr) return error;
  if (error = prepare(*mine, mine->deadline()); !error.ok()) return error;
  const Fetching fetch = [mine](std::span<const std::string_view> some, FetchSink& sink) {
    return fetch_by(*mine, some, sink, mine->deadline());
  };
  return guarded([&] { return l2::list(*mine, pattern, fetch, page); });
}

// One thread at a time makes up for what is owed: the step of a second one would end what the first
// one stores behind its own. The others wait for it, no longer than its call may take.
base::Error RedisL2::prepare(Session& session, client::Deadline deadline) noexcept {
  if (base::Error error = session.ready(deadline); !error.ok()) return error;
  if (!owed_.any()) return {};
  while (session.paying().exchange(true)) session.paying().wait(true);
  base::Error error = guarded([&] { return settle(session, deadline); });
  session.paying().store(false);
  session.paying().notify_all();
  return error;
}

base::Error RedisL2::pay() noexcept {
  base::Error error;
  Session* const mine = session_.begin(error);
  return mine == nullptr ? error : prepare(*mine, mine->deadline());
}

base::Error RedisL2::settle(Session& session, client::Deadline deadline) {
  while (owed_.any()) {
    const Owed::Debts debts = owed_.oldest(kTagsAtOnce);
    base::Error error = debts.clear ? step_generation(session, deadline)
                                    : step_stamp(session, views_of(debts.tags), deadline);
    if (!error.ok()) return error;
    owed_.settle(debts.last);
  }
  return {};
}

Status RedisL2::status(bool probe) noexcept {
  Status out;
  Session* const mine = probe ? session_.begin(out.error) : session_.find(out.error);
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

bool RedisL2::skips(std::string_view /*key*/) noexcept { return session_.skips(); }

base::Keeper* RedisL2::keeper() noexcept {
  base::Error ignored;
  Session* const mine = session_.begin(ignored);
  return mine == nullptr ? nullptr : &mine->keeper();
}

std::vector<Event> RedisL2::take_news() {
  Session& current = session_.current();
  return current.process() == getpid() ? current.news().take() : std::vector<Event>();
}

void RedisL2::ask_server(Session& mine, client::Deadline deadline, Status& out) {
  if (mine.several()) return Spread(mine, deadline).probe(out);
  command::Probe batch(mine.node().context());
  base::Error error = mine.node().run(batch, deadline);
  out.outcome = batch.answered() ? Outcome::kHit : outcome_of(error.code);
  if (!batch.answered()) out.error = std::move(error);
  out.server = batch.take_figures();
}

}  // namespace

std::unique_ptr<L2> make_redis_l2(RedisOptions options, const base::Clock& clock,
                                  Listener& listener) {
  return std::make_unique<RedisL2>(std::move(options), clock, listener);
}

}  // namespace vcache::l2
