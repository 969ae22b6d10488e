#pragma once

#include <cstddef>
#include <deque>
#include <string_view>

#include "base/result.hpp"
#include "l2/client/deadline.hpp"
#include "l2/cluster/item.hpp"
#include "l2/cluster/parcel.hpp"
#include "l2/cluster/topology.hpp"

namespace vcache::l2::cluster {

// Sends commands about many places to the nodes that have them, all at once, and follows them
// where they are sent elsewhere. Used by one thread, once.
class Fanout {
 public:
  explicit Fanout(Topology& topology) noexcept : topology_(topology) {}

  // `batch` must outlive it; so must the node where one is given. Returns the item's index.
  std::size_t add(Place place, command::Batch& batch, Node* node = nullptr);

  // The error of the first item that has no answer, or else the first that a server answered with.
  [[nodiscard]] base::Error run(client::Deadline deadline) noexcept;

  [[nodiscard]] const Item& item(std::size_t index) const { return items_[index]; }

 private:
  // One exchange with all nodes that items are to be sent to. False: nothing is left to be sent.
  [[nodiscard]] bool run_round(client::Deadline deadline);
  [[nodiscard]] Node* target_of(Item& item);
  void follow(Item& item);
  [[nodiscard]] base::Error first_error();

  Topology& topology_;
  std::deque<Item> items_;
  base::Error error_;  // the first that a server answered with
};

}  // namespace vcache::l2::cluster
