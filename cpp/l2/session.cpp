#include "l2/session.hpp"

#include <unistd.h>

#include <exception>
#include <map>
#include <string>

#include "l2/cluster/cluster.hpp"
#include "l2/cluster/fanout.hpp"
#include "l2/cluster/sharded.hpp"

namespace vcache::l2 {

namespace {

// Open before half-open before closed.
Breaker::State worse(Breaker::State one, Breaker::State other) noexcept {
  if (one == Breaker::State::kOpen || other == Breaker::State::kOpen) return Breaker::State::kOpen;
  return one == Breaker::State::kHalfOpen ? one : other;
}

}  // namespace

Session::Session(const RedisOptions& options, const base::Clock& clock, Listener& listener)
    : options_(options),
      process_(getpid()),
      facts_(clock),
      errors_(news_, clock),
      nodes_(
          options,
          {.clock = clock, .facts = facts_, .errors = errors_, .keeper = keeper_, .news = news_}),
      told_(waiters_, listener) {
  const auto changed = [this] { links_->on_servers_changed(); };
  switch (options.layout) {
    case Layout::kOneServer:
      nodes_.add(options);
      break;
    case Layout::kShards:
      topology_ = std::make_unique<cluster::Sharded>(options, nodes_);
      break;
    case Layout::kCluster:
      (void)nodes_.at(options.seeds.front());
      topology_ = std::make_unique<cluster::Cluster>(options, clock, nodes_, keeper_, changed);
      break;
    case Layout::kSentinel:
      (void)nodes_.at(options.seeds.front());  // stands for the primary until one is named
      sentinel_ = std::make_unique<cluster::Sentinel>(options, clock, nodes_, keeper_, changed);
      break;
  }
  links_ = std::make_unique<tracking::Links>(options, nodes_[0].context(), told_,
                                             [this] { return servers(); });
}

// They live as long as the session, which the links do not outlive.
std::vector<std::shared_ptr<Dialer>> Session::servers() {
  std::vector<std::shared_ptr<Dialer>> out;
  const auto add = [&out](Node& node) {
    out.emplace_back(std::shared_ptr<void>(), &node.dialer());
  };
  if (topology_ != nullptr) {
    for (Node& node : topology_->servers()) add(node);
  } else if (sentinel_ == nullptr) {
    add(nodes_[0]);
  } else if (Node* const primary = sentinel_->next_primary(); primary != nullptr) {
    add(*primary);
  }
  return out;
}

base::Error Session::ready(client::Deadline deadline) noexcept {
  if (topology_ != nullptr) return topology_->ready(deadline);
  if (sentinel_ != nullptr) return sentinel_->ready(deadline);
  return {};
}

Node& Session::node() noexcept {
  Node* node = nullptr;
  if (topology_ != nullptr) node = topology_->node_at(topology_->own_place());
  if (sentinel_ != nullptr) node = sentinel_->primary();
  return node == nullptr ? nodes_[0] : *node;
}

base::Error Session::run(std::string_view prefix, std::string_view key, command::Batch& batch,
                         client::Deadline deadline) noexcept {
  if (!several()) return run_one(batch, deadline);
  return run_at(topology_->place_of(prefix, key), batch, deadline);
}

base::Error Session::run_own(command::Batch& batch, client::Deadline deadline) noexcept {
  return several() ? run_at(topology_->own_place(), batch, deadline) : run_one(batch, deadline);
}

base::Error Session::run_one(command::Batch& batch, client::Deadline deadline) noexcept {
  base::Error error = node().run(batch, deadline);
  if (!error.ok()) on_trouble();
  return error;
}

base::Error Session::run_at(cluster::Place place, command::Batch& batch,
                            client::Deadline deadline) noexcept {
  try {
    cluster::Fanout fanout(*topology_);
    fanout.add(place, batch);
    return fanout.run(deadline);
  } catch (const std::exception&) {
    return {base::ErrorCode::kServer};
  }
}

void Session::on_trouble() noexcept {
  if (sentinel_ != nullptr) sentinel_->on_trouble();
}

void Session::describe(Status& status) {
  describe_breakers(status);
  if (topology_ != nullptr) topology_->describe(status);
  status.coherence = to_string(links_->state());
  for (std::size_t i = 0; i < nodes_.size(); ++i) status.openings += nodes_[i].breaker().openings();
  status.errors = errors_.snapshot();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    status.connections += nodes_[i].pool().connections();
  }
}

// Two databases of one server share its address.
void Session::describe_breakers(Status& status) {
  std::map<std::string, Breaker::State> states;
  const auto add = [&states](const Node& node) {
    const Breaker::State state = node.breaker().state();
    Breaker::State& shown = states.try_emplace(node.options().address(), state).first->second;
    shown = worse(shown, state);
  };
  if (several()) {
    for (const Node& each : topology_->servers()) add(each);
  }
  if (states.empty()) add(node());
  Breaker::State worst = Breaker::State::kClosed;
  for (const auto& [address, state] : states) {
    worst = worse(worst, state);
    status.breakers.emplace(address, to_string(state));
  }
  status.breaker = to_string(worst);
}

void Session::close() noexcept {
  keeper_.stop();
  links_->stop();
  nodes_.close();
  if (sentinel_ != nullptr) sentinel_->close();
}

void Session::abandon() noexcept {
  nodes_.abandon();
  if (sentinel_ != nullptr) sentinel_->abandon();
}

}  // namespace vcache::l2
