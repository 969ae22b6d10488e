#include "l2/listing.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "l2/command/look.hpp"
#include "l2/command/scan.hpp"
#include "l2/spread.hpp"

namespace vcache::l2 {

namespace {

using command::Looked;

// The outcomes of a fetch whose values are of no interest.
class Judged final : public FetchSink {
 public:
  explicit Judged(std::span<Outcome> outcomes) noexcept : outcomes_(outcomes) {}
  void on_value(std::size_t index, const StoredValue& stored) noexcept override {
    outcomes_[index] = stored.stale ? Outcome::kExpired : Outcome::kHit;
  }
  void on_absent(std::size_t index, Outcome outcome) noexcept override {
    outcomes_[index] = outcome;
  }

 private:
  const std::span<Outcome> outcomes_;
};

base::Error look_on_one(Session& session, std::span<const std::string_view> keys,
                        std::span<Looked> looked, client::Deadline deadline) {
  Node& node = session.node();
  command::Look batch(node.context(), keys, looked);
  base::Error error = node.run(batch, deadline);
  if (!error.ok()) session.on_trouble();
  batch.finish(outcome_of(error.code));
  return error;
}

// By these headers, and for entries with tags by what a fetch says of them.
base::Error judge(std::span<const std::string_view> keys, std::span<const Looked> looked,
                  std::span<Outcome> outcomes, const Fetching& fetch) {
  std::vector<std::string_view> tagged;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    outcomes[i] = looked[i].outcome;
    if (looked[i].outcome != Outcome::kHit || !looked[i].has_tags) continue;
    tagged.push_back(keys[i]);
    places.push_back(i);
  }
  if (tagged.empty()) return {};
  std::vector<Outcome> fetched(tagged.size(), Outcome::kSkipped);
  Judged sink(fetched);
  base::Error error = fetch(tagged, sink);
  for (std::size_t i = 0; i < places.size(); ++i) outcomes[places[i]] = fetched[i];
  return error;
}

// The next server to go through; null: there is none. One that took the place of another is gone
// through from its beginning: cursors are a server's own.
Node* next_server(Session& session, L2::Page& page) {
  std::vector<std::reference_wrapper<Node>> servers;
  if (session.several()) {
    servers = session.topology().servers();
  } else if (page.servers.empty()) {
    servers.emplace_back(session.node());
  }
  Node* next = nullptr;
  for (Node& node : servers) {
    const std::string name = node.options().name();
    if (name == page.server) return &node;
    const bool done = std::ranges::find(page.servers, name) != page.servers.end();
    if (!done && next == nullptr) next = &node;
  }
  page.server = next == nullptr ? "" : next->options().name();
  page.cursor = "0";
  return next;
}

// Adds those that a fetch would serve.
base::Error add_current(Session& session, const std::vector<std::string>& found,
                        const Fetching& fetch, std::vector<std::string>& keys) {
  if (found.empty()) return {};
  const std::vector<std::string_view> views(found.begin(), found.end());
  std::vector<Outcome> outcomes(found.size(), Outcome::kSkipped);
  base::Error error = look(session, views, outcomes, fetch, session.deadline());
  if (error.ok() && std::ranges::any_of(outcomes, is_unanswered)) {
    error = {base::ErrorCode::kServer, "some keys found no answer"};
  }
  if (!error.ok()) return error;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (outcomes[i] == Outcome::kHit) keys.push_back(found[i]);
  }
  return {};
}

}  // namespace

base::Error look(Session& session, std::span<const std::string_view> keys,
                 std::span<Outcome> outcomes, const Fetching& fetch, client::Deadline deadline) {
  std::vector<Looked> looked(keys.size());
  base::Error error = session.several() ? Spread(session, deadline).look(keys, looked)
                                        : look_on_one(session, keys, looked, deadline);
  base::Error of_tags = judge(keys, looked, outcomes, fetch);
  return error.ok() ? std::move(of_tags) : std::move(error);
}

base::Error list(Session& session, std::string_view pattern, const Fetching& fetch,
                 L2::Page& page) {
  Node* const node = next_server(session, page);
  page.is_last = node == nullptr;
  if (node == nullptr) return {};
  command::Scan step(node->context(), pattern, page.cursor);
  base::Error error = node->run(step, session.deadline());
  if (step.forbidden()) error.code = base::ErrorCode::kForbidden;
  if (error.ok() && step.next().empty()) error = {base::ErrorCode::kProtocol};
  if (error.ok()) error = add_current(session, step.keys(), fetch, page.keys);
  if (!error.ok()) return error;
  page.cursor = std::move(step.next());
  if (page.cursor == "0") {
    page.servers.push_back(std::exchange(page.server, {}));
    page.is_last = next_server(session, page) == nullptr;
  }
  return {};
}

}  // namespace vcache::l2
