#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "l2/cluster/node_table.hpp"
#include "l2/cluster/topology.hpp"

namespace vcache::l2::cluster {

// Independent servers that share the keys by rendezvous hashing: of all servers a key lies on the
// one whose hash with it is greatest. Without one of them only its keys move. The order of the list
// does not matter, but every process must name the servers the same way. One of them holds the
// namespace's own keys: a list without that one is a namespace that begins anew.
class Sharded final : public Topology {
 public:
  // Requires: options.shards is not empty.
  Sharded(const RedisOptions& options, NodeTable& nodes);

  [[nodiscard]] Place place_of(std::string_view prefix,
                               std::string_view key) const noexcept override;
  [[nodiscard]] Place own_place() const noexcept override { return own_place_; }
  [[nodiscard]] Node* node_at(Place place) noexcept override { return &shards_[place].node.get(); }
  [[nodiscard]] Node* on_moved(Place /*place*/, const Endpoint& /*to*/) noexcept override {
    return nullptr;  // a node of a cluster: not what was asked for
  }
  [[nodiscard]] std::vector<std::reference_wrapper<Node>> servers() const override;
  [[nodiscard]] Node* on_ask(const Endpoint& /*to*/) noexcept override { return nullptr; }

 private:
  [[nodiscard]] Place heaviest(std::string_view key) const noexcept;

  struct Shard {
    std::reference_wrapper<Node> node;
    std::uint64_t seed;
  };

  // Constant after construction.
  std::vector<Shard> shards_;
  Place own_place_ = 0;
};

}  // namespace vcache::l2::cluster
