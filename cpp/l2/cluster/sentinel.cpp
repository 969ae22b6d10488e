#include "l2/cluster/sentinel.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <utility>
#include <vector>

#include "l2/cluster/primary_query.hpp"
#include "l2/run_all.hpp"

namespace vcache::l2::cluster {

namespace {

using Clock = client::Deadline::clock;

constexpr base::Millis kBetweenQuestions{100};  // where something is wrong
constexpr base::Millis kRoutine{1'000};

RedisOptions sentinel_options(const RedisOptions& all, const Endpoint& where) {
  RedisOptions out = all;
  out.layout = Layout::kShards;  // it holds no keys, so that nothing is read when logging in
  out.host = where.host;
  out.port = where.port;
  out.unix_socket.clear();
  out.db = 0;
  out.username = all.sentinel_username;
  out.password = all.sentinel_password;
  out.pool_size = 1;
  return out;
}

}  // namespace

Sentinel::Sentinel(const RedisOptions& options, const base::Clock& clock, NodeTable& nodes,
                   base::Keeper& keeper, std::function<void()> changed)
    : options_(options),
      changed_(std::move(changed)),
      nodes_(nodes),
      keeper_(keeper),
      facts_(clock),
      lookout_(keeper, *this) {
  const Node::Shared shared{
      .clock = clock, .facts = facts_, .errors = errors_, .keeper = keeper, .news = untold_};
  for (const Endpoint& seed : options.seeds) {
    sentinels_.emplace_back(sentinel_options(options, seed), shared);
  }
  facts_.keep_time();
}

Sentinel::~Sentinel() { keeper_.remove(*this); }

base::Error Sentinel::ready(client::Deadline deadline) noexcept {
  return lookout_.await(
      deadline, [this] { return primary() != nullptr; }, "no sentinel names a primary");
}

// Where there is no keeper, several threads may come here.
base::Millis Sentinel::run() noexcept {
  if (!lookout_.enter()) return kBetweenQuestions;
  const auto now = Clock::now();
  const bool due = !last_ || now - *last_ >= (lookout_.wanted() ? kBetweenQuestions : kRoutine);
  if (due) {
    last_ = now;
    lookout_.begin_look();
    try {
      learn(ask());
    } catch (const std::exception&) {
      learn(std::nullopt);
    }
  }
  lookout_.leave();
  return lookout_.wanted() ? kBetweenQuestions : kRoutine;
}

std::optional<Endpoint> Sentinel::ask() {
  std::deque<PrimaryQuery> queries;
  std::vector<Job> jobs;
  for (Node& node : sentinels_) {
    PrimaryQuery& query = queries.emplace_back(node.context(), options_.service);
    jobs.push_back({.node = node, .batch = query});
  }
  run_all(jobs, Clock::now() + options_.timeout);
  std::map<Endpoint, int> votes;
  for (const PrimaryQuery& query : queries) {
    if (!query.primary().host.empty() && query.primary().port != 0) ++votes[query.primary()];
  }
  if (votes.empty()) return std::nullopt;
  const auto fewer = [](const auto& one, const auto& other) { return one.second < other.second; };
  return std::ranges::max_element(votes, fewer)->first;
}

void Sentinel::learn(const std::optional<Endpoint>& named) noexcept {
  Node* const fresh = named ? nodes_.at(*named) : nullptr;
  if (fresh != nullptr) {
    if (next_primary_.exchange(fresh, std::memory_order_acq_rel) != fresh) changed_();
    Node* const last = primary_.exchange(fresh, std::memory_order_acq_rel);
    if (last != nullptr && last != fresh) last->attend(false);
    fresh->attend(true);
  }
  lookout_.end_look(fresh != nullptr);
}

void Sentinel::close() noexcept {
  for (Node& node : sentinels_) node.pool().close();
}

void Sentinel::abandon() noexcept {
  for (Node& node : sentinels_) node.pool().abandon();
}

}  // namespace vcache::l2::cluster
