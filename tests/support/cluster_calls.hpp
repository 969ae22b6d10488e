#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "l2/cluster/key_slot.hpp"
#include "l2/l2.hpp"
#include "l2/redis_options.hpp"
#include "support/l2_calls.hpp"
#include "support/redis_cluster.hpp"

// What tests of an L2 over several servers have in common.
namespace vcache::testing {

[[nodiscard]] inline l2::RedisOptions options_for(RedisCluster& cluster) {
  l2::RedisOptions options;
  options.layout = l2::Layout::kCluster;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    options.seeds.push_back({.host = "127.0.0.1", .port = cluster.node(i).port()});
  }
  options.timeout = base::Millis(2000);
  return options;
}

[[nodiscard]] inline std::vector<std::string> numbered(const std::string& prefix,
                                                       std::size_t count) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < count; ++i) keys.push_back(prefix + std::to_string(i));
  return keys;
}

// Of a key in the default namespace.
[[nodiscard]] inline int slot_of(const std::string& key) {
  return l2::cluster::key_slot("{}vcache:", key);
}

// A key that the primary held when the cluster began.
[[nodiscard]] inline std::string key_on(const RedisCluster& cluster, std::size_t primary,
                                        const std::string& prefix) {
  for (int i = 0;; ++i) {
    std::string key = prefix + std::to_string(i);
    if (cluster.first_owner(slot_of(key)) == primary) return key;
  }
}

// Stores each key under itself. Returns how many were stored.
inline std::size_t store_all(l2::L2& tier, const std::vector<std::string>& keys) {
  std::vector<l2::Write> writes;
  for (const std::string& key : keys) {
    writes.push_back({.key = key, .value = object_view(key), .ttl = base::Millis(600'000)});
  }
  std::vector<l2::Outcome> outcomes(keys.size(), l2::Outcome::kFailed);
  SpanWrites source(writes);
  (void)tier.store(source, outcomes);
  return static_cast<std::size_t>(std::ranges::count(outcomes, l2::Outcome::kHit));
}

// How many of the keys are there, under themselves.
[[nodiscard]] inline std::size_t count_hits(l2::L2& tier, const std::vector<std::string>& keys) {
  CollectSink sink(keys.size());
  (void)tier.fetch(views(keys), sink);
  std::size_t hits = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) hits += sink.answers[i].payload == keys[i] ? 1 : 0;
  return hits;
}

}  // namespace vcache::testing
