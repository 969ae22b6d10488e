#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "l2/cluster/redirect.hpp"
#include "l2/cluster/topology.hpp"
#include "l2/command/batch.hpp"

namespace vcache::l2::cluster {

// Commands about one place, on their way to the node that has it. Their batch never learns of a
// redirect: it is sent again elsewhere.
struct Item {
  Place place = 0;
  command::Batch& batch;
  Node* node = nullptr;  // to send it to; nullptr: the place's
  bool asking = false;   // by leave of a node that sent it there
  bool answered = false;
  std::optional<Redirect> redirect = {};
  base::Error error = {};  // how the exchange ended that it was last in, without an answer
};

}  // namespace vcache::l2::cluster
