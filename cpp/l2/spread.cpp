#include "l2/spread.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <vector>

#include "l2/cluster/fanout.hpp"
#include "l2/command/erase.hpp"
#include "l2/command/generation.hpp"
#include "l2/command/probe.hpp"
#include "l2/command/restamp.hpp"
#include "l2/command/store.hpp"
#include "l2/command/touch.hpp"
#include "l2/run_all.hpp"

namespace vcache::l2 {

namespace {

using command::LearnGeneration;

// One write of a source, as a source.
class OneWrite final : public WriteSource {
 public:
  explicit OneWrite(const Write& write) noexcept : write_(write) {}
  [[nodiscard]] std::size_t size() const noexcept override { return 1; }
  [[nodiscard]] const Write& at(std::size_t /*index*/) override { return write_; }

 private:
  const Write& write_;
};

// One write's way to its server.
struct KeyStore {
  KeyStore(const command::Context& context, const Write& write, Outcome& outcome,
           codec::Packer& packer) noexcept
      : source(write),
        batch(context, source, {&outcome, 1}, packer, command::Store::Sharing::kShared) {}

  OneWrite source;
  command::Store batch;
  bool due = true;
};

}  // namespace

// The writes of a batch, in as many rounds as it takes.
class Spread::Stores {
 public:
  Stores(Spread& spread, WriteSource& writes, std::span<Outcome> outcomes)
      : spread_(spread), packer_(spread.context_.packing) {
    for (std::size_t i = 0; i < writes.size(); ++i) {
      const Write& write = writes.at(i);
      spread.topology_.on_write(write.key);
      keys_.emplace_back(spread.context_, write, outcomes[i], packer_);
    }
  }

  // Sends those that are due.
  base::Error run() {
    packer_.clear();  // nothing is on its way any more
    LearnGeneration latest(spread_.context_, LearnGeneration::IfNone::kLeave);
    cluster::Fanout fanout(spread_.topology_);
    fanout.add(spread_.topology_.own_place(), latest);
    std::vector<std::reference_wrapper<KeyStore>> sent;
    for (KeyStore& key : keys_) {
      if (!key.due) continue;
      const cluster::Place place =
          spread_.topology_.place_of(spread_.context_.key_prefix, key.source.at(0).key);
      Node* const node = spread_.topology_.node_at(place);
      key.due = false;
      if (node != nullptr && node->writes_paused()) {
        key.batch.finish(Outcome::kSkipped);
        continue;
      }
      fanout.add(place, key.batch, node);
      sent.emplace_back(key);
    }
    base::Error error = fanout.run(spread_.deadline_);
    for (std::size_t i = 0; i < sent.size(); ++i) settle(sent[i], fanout.item(i + 1));
    return error;
  }

  // True when some bear an older generation than the latest: they are due once more.
  [[nodiscard]] bool any_due() const noexcept {
    return std::ranges::any_of(keys_, [](const KeyStore& key) { return key.due; });
  }

 private:
  void settle(KeyStore& key, const cluster::Item& item) {
    key.batch.finish(outcome_of(item.error.code));
    if (key.batch.refusal() && item.node != nullptr) {
      item.node->on_write_refused(*key.batch.refusal());
    }
    key.due = key.batch.outdated_by(spread_.session_.facts().generation());
  }

  Spread& spread_;
  codec::Packer packer_;  // one for all: each has 64 KiB and a cipher of its own
  std::deque<KeyStore> keys_;
};

void Spread::learn_first(LearnGeneration::IfNone if_none) noexcept {
  if (session_.facts().generation() != 0) return;
  LearnGeneration first(context_, if_none);
  (void)session_.run_own(first, deadline_);
}

base::Error Spread::store(WriteSource& writes, std::span<Outcome> outcomes) {
  learn_first(LearnGeneration::IfNone::kMake);
  if (session_.facts().generation() == 0) {
    std::ranges::fill(outcomes, Outcome::kSkipped);  // what bears none is never served
    return {base::ErrorCode::kConnect, "the server of the generation does not answer"};
  }
  Stores stores(*this, writes, outcomes);
  base::Error error = stores.run();
  if (stores.any_due()) error = stores.run();
  return error;
}

base::Error Spread::erase(std::span<const std::string_view> keys, std::span<Outcome> outcomes) {
  LearnGeneration latest(context_, LearnGeneration::IfNone::kLeave);
  std::deque<command::Erase> batches;
  cluster::Fanout fanout(topology_);
  fanout.add(topology_.own_place(), latest);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    topology_.on_write(keys[i]);
    fanout.add(topology_.place_of(context_.key_prefix, keys[i]),
               batches.emplace_back(context_, keys.subspan(i, 1), outcomes.subspan(i, 1)));
  }
  base::Error error = fanout.run(deadline_);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    batches[i].finish(outcome_of(fanout.item(i + 1).error.code));
  }
  return error;
}

base::Error Spread::touch(std::string_view key, base::Millis ttl, Outcome& outcome,
                          bool& has_tags) {
  LearnGeneration latest(context_, LearnGeneration::IfNone::kLeave);
  (void)session_.run_own(latest, deadline_);
  topology_.on_write(key);
  command::Touch batch(context_, key, ttl);
  base::Error error = session_.run(context_.key_prefix, key, batch, deadline_);
  outcome = batch.outcome().value_or(outcome_of(error.code));
  has_tags = batch.has_tags();
  if (outcome == Outcome::kHit && ttl >= base::Millis::zero()) {
    command::Restamp header(context_, key, ttl);
    (void)session_.run(context_.key_prefix, key, header, deadline_);
  }
  return error;
}

base::Error Spread::look(std::span<const std::string_view> keys,
                         std::span<command::Looked> looked) {
  LearnGeneration latest(context_, LearnGeneration::IfNone::kLeave);
  base::Error error = session_.run_own(latest, deadline_);
  if (!error.ok() && !latest.known()) return error;
  std::deque<command::Look> batches;
  cluster::Fanout fanout(topology_);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    fanout.add(topology_.place_of(context_.key_prefix, keys[i]),
               batches.emplace_back(context_, keys.subspan(i, 1), looked.subspan(i, 1)));
  }
  error = fanout.run(deadline_);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    batches[i].finish(outcome_of(fanout.item(i).error.code));
  }
  return error;
}

void Spread::probe(Status& status) {
  std::deque<command::Probe> probes;
  std::vector<Job> jobs;
  for (Node& node : topology_.servers()) {
    jobs.push_back({.node = node, .batch = probes.emplace_back(node.context())});
  }
  run_all(jobs, deadline_);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    for (const auto& [name, figure] : probes[i].take_figures()) status.server[name] += figure;
    if (!probes[i].answered() && status.error.ok()) status.error = jobs[i].error;
    if (probes[i].answered()) status.outcome = Outcome::kHit;
  }
  if (status.outcome != Outcome::kHit) status.outcome = outcome_of(status.error.code);
}

}  // namespace vcache::l2
