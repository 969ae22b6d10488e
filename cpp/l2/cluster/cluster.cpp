#include "l2/cluster/cluster.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "l2/cluster/key_slot.hpp"

namespace vcache::l2::cluster {

namespace {

using Clock = client::Deadline::clock;

constexpr base::Millis kBetweenLooks{100};
constexpr base::Millis kBetweenChecks{400};
// Between looks that nothing asks for. Who reads replicas or has links is to find new servers
// before a call meets them.
constexpr base::Millis kRoutine = std::chrono::minutes(1);
constexpr base::Millis kOftenLooked = std::chrono::seconds(5);
// For how long after the last question a server that keys move to counts as one of those that hold
// keys. A move asks often.
constexpr std::chrono::seconds kAskHolds{10};

base::Millis until(Clock::time_point due, Clock::time_point now) noexcept {
  return std::max(std::chrono::ceil<base::Millis>(due - now), base::Millis{0});
}

}  // namespace

Cluster::Cluster(const RedisOptions& options, const base::Clock& clock, NodeTable& nodes,
                 base::Keeper& keeper, std::function<void()> changed)
    : options_(options),
      own_place_(key_slot(command::own_prefix(options.namespace_name, Layout::kCluster), "")),
      changed_(std::move(changed)),
      nodes_(nodes),
      keeper_(keeper),
      replicas_(clock),
      lookout_(keeper, *this),
      random_(std::random_device{}()) {}

Cluster::~Cluster() { keeper_.remove(*this); }

base::Error Cluster::ready(client::Deadline deadline) noexcept {
  return lookout_.await(
      deadline, [this] { return known_.load(std::memory_order_acquire); },
      "no node of the cluster tells who holds its slots");
}

Place Cluster::place_of(std::string_view prefix, std::string_view key) const noexcept {
  return key_slot(prefix, key);
}

std::vector<std::reference_wrapper<Node>> Cluster::servers() const {
  std::vector<std::reference_wrapper<Node>> out;
  const base::MutexLock lock(members_mutex_);
  out.reserve(members_.size());
  for (const Member& member : members_) out.emplace_back(*member.node);
  return out;
}

Node* Cluster::meet(const Endpoint& address, Time holds_keys_until) noexcept {
  Node* const node = nodes_.at(address);
  if (node == nullptr) return nullptr;
  const base::MutexLock lock(members_mutex_);
  const auto known = std::ranges::find(members_, node, &Member::node);
  if (known != members_.end()) {
    known->until = std::max(known->until, holds_keys_until);
    return node;
  }
  try {
    members_.push_back({.node = node, .until = holds_keys_until});
  } catch (const std::exception&) {
    return nullptr;
  }
  node->attend(true);
  changed_();
  return node;
}

void Cluster::take_owners(std::span<Node* const> owners) {
  std::vector<Member> members;
  for (Node* const owner : owners) {
    const bool repeated = !members.empty() && members.back().node == owner;
    if (owner == nullptr || repeated) continue;
    if (std::ranges::find(members, owner, &Member::node) != members.end()) continue;
    members.push_back({.node = owner, .until = Time::max()});
  }
  const base::MutexLock lock(members_mutex_);
  for (const Member& each : members_) {
    const bool was_asked_lately = each.until != Time::max() && Clock::now() < each.until;
    const bool owns = std::ranges::find(members, each.node, &Member::node) != members.end();
    if (was_asked_lately && !owns) members.push_back(each);
  }
  const bool same =
      std::ranges::is_permutation(members, members_, {}, &Member::node, &Member::node);
  members_.swap(members);
  if (!same) changed_();
}

Node* Cluster::reader_of(std::string_view key, Place place) noexcept {
  Node* const primary = node_at(place);
  if (primary == nullptr || !options_.read_replicas) return primary;
  Node* const replica = replicas_.reader(key, *primary);
  return replica == nullptr ? primary : replica;
}

void Cluster::on_write(std::string_view key) noexcept {
  if (options_.read_replicas) replicas_.on_write(key);
}

Node* Cluster::on_moved(Place place, const Endpoint& to) noexcept {
  moved_.fetch_add(1, std::memory_order_relaxed);
  on_trouble();
  Node* const owner = meet(to, Time::max());
  if (owner != nullptr) slots_.set(place, owner);
  return owner;
}

Node* Cluster::on_ask(const Endpoint& to) noexcept {
  asked_.fetch_add(1, std::memory_order_relaxed);
  return meet(to, Clock::now() + kAskHolds);
}

void Cluster::describe(Status& status) const {
  status.cluster["looks"] = looks_.load(std::memory_order_relaxed);
  status.cluster["moved"] = moved_.load(std::memory_order_relaxed);
  status.cluster["asked"] = asked_.load(std::memory_order_relaxed);
}

// Where there is no keeper, several threads may come here.
base::Millis Cluster::run() noexcept {
  if (!lookout_.enter()) return kBetweenLooks;
  base::Millis next = kBetweenLooks;
  try {
    next = do_what_is_due();
  } catch (const std::exception&) {
    end_look(false);
  }
  lookout_.leave();
  return next;
}

base::Millis Cluster::do_what_is_due() {
  const auto now = Clock::now();
  if (!last_look_ || now - *last_look_ >= pause()) {
    last_look_ = now;
    lookout_.begin_look();
    look();
  }
  const base::Millis next = until(last_look_.value_or(now) + pause(), Clock::now());
  if (!options_.read_replicas || !known_.load()) return next;
  if (!last_check_ || now - *last_check_ >= kBetweenChecks) {
    last_check_ = now;
    replicas_.check(now + options_.timeout);
  }
  return std::min(next, until(*last_check_ + kBetweenChecks, Clock::now()));
}

// From one look to the next.
base::Millis Cluster::pause() const noexcept {
  if (lookout_.wanted()) return kBetweenLooks;
  return options_.read_replicas || options_.tracking ? kOftenLooked : kRoutine;
}

void Cluster::look() {
  looks_.fetch_add(1, std::memory_order_relaxed);
  for (const Endpoint& whom : candidates()) {
    if (keeper_.stopping()) break;
    if (ask(whom)) return end_look(true);
  }
  end_look(false);
}

void Cluster::end_look(bool known) noexcept {
  if (known) known_.store(true, std::memory_order_release);
  lookout_.end_look(known);
}

std::vector<Endpoint> Cluster::candidates() {
  std::vector<Endpoint> all = told_;
  std::ranges::shuffle(all, random_);
  std::vector<Endpoint> seeds = options_.seeds;
  std::ranges::shuffle(seeds, random_);
  for (const Endpoint& seed : seeds) {
    if (std::ranges::find(all, seed) == all.end()) all.push_back(seed);
  }
  return all;
}

bool Cluster::ask(const Endpoint& whom) {
  Node* const node = nodes_.at(whom);
  if (node == nullptr) return false;
  SlotsQuery query(node->context());
  const base::Error error = node->run(query, Clock::now() + options_.timeout);
  if (!error.ok() || query.ranges().empty()) return false;
  learn(query.ranges(), whom.host);
  return true;
}

void Cluster::learn(std::span<const SlotRange> ranges, const std::string& host) {
  std::vector<Node*> owners(kSlots, nullptr);
  std::vector<Replicas::Pair> pairs;
  told_.clear();
  for (const SlotRange& range : ranges) {
    Node* const primary = learn_servers(range, host, pairs);
    for (std::size_t slot = range.first; slot <= range.last; ++slot) owners[slot] = primary;
  }
  take_owners(owners);
  for (std::size_t slot = 0; slot < kSlots; ++slot) slots_.set(slot, owners[slot]);
  replicas_.reset(pairs);
  attend(pairs);
}

void Cluster::attend(std::span<const Replicas::Pair> pairs) {
  const base::MutexLock lock(members_mutex_);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    node.attend(std::ranges::find(members_, &node, &Member::node) != members_.end() ||
                std::ranges::find(pairs, &node, &Replicas::Pair::replica) != pairs.end());
  }
}

Node* Cluster::learn_servers(const SlotRange& range, const std::string& host,
                             std::vector<Replicas::Pair>& pairs) {
  Node* primary = nullptr;
  for (Endpoint server : range.servers) {
    if (server.host.empty()) server.host = host;
    if (std::ranges::find(told_, server) == told_.end()) told_.push_back(server);
    if (primary == nullptr) {
      primary = nodes_.at(server);
      if (primary == nullptr) return nullptr;
    } else if (options_.read_replicas) {
      const Replicas::Pair pair = {.primary = primary, .replica = nodes_.replica_at(server)};
      const bool fresh = std::ranges::find(pairs, pair) == pairs.end();
      if (pair.replica != nullptr && fresh) pairs.push_back(pair);
    }
  }
  return primary;
}

}  // namespace vcache::l2::cluster
