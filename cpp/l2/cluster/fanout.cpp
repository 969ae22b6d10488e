#include "l2/cluster/fanout.hpp"

#include <exception>
#include <utility>

#include "l2/run_all.hpp"

namespace vcache::l2::cluster {

namespace {

constexpr int kMostRedirects = 3;

// The parcels of one round, by node.
class Parcels {
 public:
  void add(Node& node, Item& item) {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (&jobs_[i].node == &node) return parcels_[i].add(item);
    }
    parcels_.emplace_back(node.context()).add(item);
    jobs_.push_back({.node = node, .batch = parcels_.back()});
  }

  [[nodiscard]] bool empty() const noexcept { return jobs_.empty(); }
  // True when a look at the servers is due.
  [[nodiscard]] bool run(client::Deadline deadline) {
    run_all(jobs_, deadline);
    bool troubled = false;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      parcels_[i].finish(jobs_[i].error);
      troubled = troubled || parcels_[i].troubled() || is_from_node(jobs_[i].error.code);
    }
    return troubled;
  }
  [[nodiscard]] base::Error first_answered_error() const {
    for (const Parcel& parcel : parcels_) {
      if (!parcel.error().ok()) return parcel.error();
    }
    return {};
  }

 private:
  static bool is_from_node(base::ErrorCode code) noexcept {
    switch (code) {
      case base::ErrorCode::kTimeout:
      case base::ErrorCode::kConnect:
      case base::ErrorCode::kDisconnected:
      case base::ErrorCode::kBreakerOpen:
        return true;
      default:
        return false;
    }
  }

  std::deque<Parcel> parcels_;
  std::vector<Job> jobs_;
};

}  // namespace

std::size_t Fanout::add(Place place, command::Batch& batch, Node* node) {
  items_.push_back({.place = place, .batch = batch, .node = node});
  return items_.size() - 1;
}

base::Error Fanout::run(client::Deadline deadline) noexcept {
  try {
    for (int round = 0; run_round(deadline) && round < kMostRedirects; ++round) {
      for (Item& item : items_) follow(item);
    }
    return first_error();
  } catch (const std::exception&) {
    return {base::ErrorCode::kServer};
  }
}

bool Fanout::run_round(client::Deadline deadline) {
  Parcels parcels;
  for (Item& item : items_) {
    if (item.answered || !item.error.ok()) continue;
    Node* const node = target_of(item);
    if (node != nullptr) parcels.add(*node, item);
  }
  if (parcels.empty()) return false;
  if (parcels.run(deadline)) topology_.on_trouble();
  if (error_.ok()) error_ = parcels.first_answered_error();
  return std::ranges::any_of(items_, [](const Item& item) { return item.redirect.has_value(); });
}

Node* Fanout::target_of(Item& item) {
  if (item.node == nullptr) item.node = topology_.node_at(item.place);
  if (item.node != nullptr) return item.node;
  item.error = {base::ErrorCode::kConnect, "no server is known to hold the key"};
  topology_.on_trouble();
  return nullptr;
}

// Where the last round sent it.
void Fanout::follow(Item& item) {
  if (!item.redirect) return;
  Redirect redirect = std::move(*item.redirect);
  item.redirect.reset();
  if (redirect.target.host.empty()) redirect.target.host = item.node->options().host;
  item.asking = redirect.kind == Redirect::Kind::kAsk;
  switch (redirect.kind) {
    case Redirect::Kind::kMoved:
      item.node = topology_.on_moved(redirect.slot, redirect.target);
      break;
    case Redirect::Kind::kAsk:
      item.node = topology_.on_ask(redirect.target);
      break;
    case Redirect::Kind::kTryAgain:
      topology_.on_trouble();
      break;
  }
}

// An item that is still being sent elsewhere has no answer.
base::Error Fanout::first_error() {
  base::Error first;
  for (Item& item : items_) {
    if (item.redirect) item.error = {base::ErrorCode::kServer, "sent elsewhere too often"};
    if (first.ok()) first = item.error;
  }
  return first.ok() ? error_ : first;
}

}  // namespace vcache::l2::cluster
