#include "l2/cluster/sharded.hpp"

#include <new>

#include "base/hash.hpp"

namespace vcache::l2::cluster {

namespace {

// What is the same for all, with the way to one shard.
RedisOptions complete(const RedisOptions& shard, const RedisOptions& all) {
  RedisOptions out = all;
  out.shards.clear();
  out.host = shard.host;
  out.port = shard.port;
  out.unix_socket = shard.unix_socket;
  out.db = shard.db;
  out.username = shard.username;
  out.password = shard.password;
  out.tls = shard.tls;
  out.pool_size = shard.pool_size;
  return out;
}

}  // namespace

Sharded::Sharded(const RedisOptions& options, NodeTable& nodes) {
  shards_.reserve(options.shards.size());
  for (const auto& shard : options.shards) {
    Node* const node = nodes.add(complete(*shard, options));
    if (node == nullptr) throw std::bad_alloc();
    shards_.push_back({.node = *node, .seed = base::hash64(shard->name(), 0)});
  }
  own_place_ = heaviest(options.namespace_name);
}

Place Sharded::place_of(std::string_view /*prefix*/, std::string_view key) const noexcept {
  return heaviest(key);
}

std::vector<std::reference_wrapper<Node>> Sharded::servers() const {
  std::vector<std::reference_wrapper<Node>> out;
  out.reserve(shards_.size());
  for (const Shard& shard : shards_) out.push_back(shard.node);
  return out;
}

Place Sharded::heaviest(std::string_view key) const noexcept {
  Place best = 0;
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const std::uint64_t weight = base::hash64(key, shards_[i].seed);
    if (i > 0 && weight <= most) continue;
    most = weight;
    best = static_cast<Place>(i);
  }
  return best;
}

}  // namespace vcache::l2::cluster
