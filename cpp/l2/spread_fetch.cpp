#include <algorithm>
#include <deque>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "l2/cluster/fanout.hpp"
#include "l2/command/erase.hpp"
#include "l2/command/fetch.hpp"
#include "l2/command/generation.hpp"
#include "l2/invalidation.hpp"
#include "l2/spread.hpp"

namespace vcache::l2 {

namespace {

using command::LearnGeneration;

// One key of a fetch. Holds back that a value has expired: by a newer generation it may not have.
class KeyFetch final : public FetchSink {
 public:
  KeyFetch(const command::Context& context, const std::string_view& key, std::size_t index,
           FetchSink& sink, codec::Unpacker& unpacker) noexcept
      : batch_(context, {&key, 1}, *this, unpacker), index_(index), sink_(sink) {}

  void on_value(std::size_t /*index*/, const StoredValue& stored) noexcept override {
    served_ = true;
    sink_.on_value(index_, stored);
  }
  void on_absent(std::size_t /*index*/, Outcome outcome) noexcept override {
    expired_ = outcome == Outcome::kExpired;
    if (!expired_) sink_.on_absent(index_, outcome);
  }

  [[nodiscard]] command::Fetch& batch() noexcept { return batch_; }
  [[nodiscard]] std::size_t index() const noexcept { return index_; }
  // By this generation it is to be fetched again.
  [[nodiscard]] bool outdated_by(std::uint64_t generation) const noexcept {
    return expired_ && batch_.generation() != generation;
  }
  // Nothing more will be asked: tells what was held back, and takes back what turned out void.
  void settle(std::uint64_t generation) noexcept {
    const bool is_void = served_ && batch_.generation() != generation;
    if (expired_ || is_void) sink_.on_absent(index_, Outcome::kExpired);
  }

 private:
  command::Fetch batch_;
  const std::size_t index_;
  FetchSink& sink_;
  bool served_ = false;
  bool expired_ = false;
};

// Passes answers on, and knows which keys may still get one. Those that have a value do: what came
// last may say that it is void.
class OpenKeys final : public FetchSink {
 public:
  OpenKeys(FetchSink& sink, std::size_t count) : sink_(sink), absent_(count) {}

  void on_value(std::size_t index, const StoredValue& stored) noexcept override {
    sink_.on_value(index, stored);
  }
  void on_absent(std::size_t index, Outcome outcome) noexcept override {
    absent_[index] = true;
    sink_.on_absent(index, outcome);
  }
  void give_up(Outcome outcome) noexcept {
    for (std::size_t i = 0; i < absent_.size(); ++i) {
      if (!absent_[i]) on_absent(i, outcome);
    }
  }

 private:
  FetchSink& sink_;
  std::vector<bool> absent_;
};

// One round of fetching keys.
class FetchRound {
 public:
  FetchRound(Session& session, client::Deadline deadline)
      : session_(session),
        context_(session.node().context()),
        topology_(session.topology()),
        deadline_(deadline),
        latest_(context_, LearnGeneration::IfNone::kLeave) {
    fanout_.add(topology_.own_place(), latest_);
  }

  void add(const std::string_view& key, std::size_t index, FetchSink& sink) {
    const cluster::Place place = topology_.place_of(context_.key_prefix, key);
    Node* const node = topology_.reader_of(key, place);
    fanout_.add(place, keys_.emplace_back(context_, key, index, sink, unpacker_).batch(), node);
  }

  base::Error run() {
    base::Error error = fanout_.run(deadline_);
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      keys_[i].batch().finish(outcome_of(fanout_.item(i + 1).error.code));
    }
    std::vector<command::Fetch*> fetches;
    fetches.reserve(keys_.size());
    for (KeyFetch& key : keys_) fetches.push_back(&key.batch());
    base::Error of_tags = release_held(session_, fetches, deadline_);
    if (error.ok()) error = std::move(of_tags);
    return error;
  }
  void remove_spoiled() {
    std::deque<command::Remove> removals;
    cluster::Fanout fanout(topology_);
    for (KeyFetch& key : keys_) {
      if (key.batch().spoiled().empty()) continue;
      fanout.add(topology_.place_of(context_.key_prefix, key.batch().spoiled().front()),
                 removals.emplace_back(context_, key.batch().spoiled()));
    }
    if (!removals.empty()) (void)fanout.run(deadline_);  // what stays is refused again
  }

  [[nodiscard]] std::deque<KeyFetch>& keys() noexcept { return keys_; }

 private:
  Session& session_;
  const command::Context& context_;
  cluster::Topology& topology_;
  const client::Deadline deadline_;
  LearnGeneration latest_;
  codec::Unpacker unpacker_ = command::unpacker_of(context_);
  std::deque<KeyFetch> keys_;
  cluster::Fanout fanout_{topology_};  // of latest_, and then of the keys
};

}  // namespace

base::Error Spread::fetch(std::span<const std::string_view> keys, FetchSink& sink) noexcept {
  std::optional<OpenKeys> open;
  try {
    return fetch_all(keys, open.emplace(sink, keys.size()));
  } catch (const std::exception&) {
    if (open) {
      open->give_up(Outcome::kFailed);
    } else {
      for (std::size_t i = 0; i < keys.size(); ++i) sink.on_absent(i, Outcome::kFailed);
    }
    return {base::ErrorCode::kServer};
  }
}

base::Error Spread::fetch_all(std::span<const std::string_view> keys, FetchSink& sink) {
  learn_first(LearnGeneration::IfNone::kLeave);
  FetchRound round(session_, deadline_);
  for (std::size_t i = 0; i < keys.size(); ++i) round.add(keys[i], i, sink);
  base::Error error = round.run();
  const std::uint64_t latest = session_.facts().generation();
  FetchRound again(session_, deadline_);
  for (KeyFetch& key : round.keys()) {
    if (key.outdated_by(latest)) {
      again.add(keys[key.index()], key.index(), sink);
    } else {
      key.settle(latest);
    }
  }
  if (!again.keys().empty()) {
    error = again.run();
    for (KeyFetch& key : again.keys()) key.settle(session_.facts().generation());
    again.remove_spoiled();
  }
  round.remove_spoiled();
  return error;
}

}  // namespace vcache::l2
