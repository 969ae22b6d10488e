#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

#include "l1/policy/policy.hpp"

namespace vcache::testing {

using Key = std::uint64_t;

// A hash that spreads: what the shard would give for the key.
[[nodiscard]] inline std::uint64_t hash_of(Key key) {
  std::uint64_t bits = key + 0x9E3779B97F4A7C15;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
  return bits ^ (bits >> 31);
}

// A cache of `capacity` entries that makes room before it inserts. Any policy decides.
template <class P>
class PolicyCache {
 public:
  PolicyCache(std::size_t capacity, P policy) : capacity_(capacity), policy_(std::move(policy)) {}

  // Whether the key was held; it is now. Notes the victim.
  bool request(Key key) {
    victim_ = kNone;
    if (const auto found = ids_.find(key); found != ids_.end()) {
      policy_.on_hit(found->second);
      return true;
    }
    const l1::policy::Candidate candidate{.key_hash = hash_of(key), .bytes = 1, .cost = 0};
    l1::policy::tell_miss(policy_, candidate);
    const l1::policy::EntryId id = free_id();
    ids_[key] = id;
    keys_[id] = key;
    policy_.on_insert(id, candidate);
    return false;
  }
  void tell_miss(Key key) {
    l1::policy::tell_miss(policy_, {.key_hash = hash_of(key), .bytes = 1, .cost = 0});
  }
  void erase(Key key) {
    policy_.on_erase(ids_.at(key));
    free_.push_back(ids_.at(key));
    ids_.erase(key);
  }

  static constexpr Key kNone = ~Key{0};
  [[nodiscard]] Key victim() const { return victim_; }  // of the last request
  [[nodiscard]] bool holds(Key key) const { return ids_.contains(key); }
  [[nodiscard]] std::size_t size() const { return ids_.size(); }

 private:
  l1::policy::EntryId free_id() {
    if (ids_.size() == capacity_) {
      const l1::policy::EntryId id = policy_.evict();
      victim_ = keys_[id];
      ids_.erase(victim_);
      return id;
    }
    if (!free_.empty()) {
      const l1::policy::EntryId id = free_.back();
      free_.pop_back();
      return id;
    }
    keys_.push_back(kNone);
    return static_cast<l1::policy::EntryId>(keys_.size() - 1);
  }

  std::size_t capacity_;
  P policy_;
  std::unordered_map<Key, l1::policy::EntryId> ids_;
  std::vector<Key> keys_;
  std::vector<l1::policy::EntryId> free_;
  Key victim_ = kNone;
};

// Share of `trace` that was held when asked for.
template <class Cache>
[[nodiscard]] double hit_ratio(Cache& cache, const std::vector<Key>& trace) {
  std::size_t hits = 0;
  for (const Key key : trace) hits += cache.request(key) ? 1U : 0U;
  return static_cast<double>(hits) / static_cast<double>(trace.size());
}

// Requests for `keys` keys whose popularity falls with their rank to the power of `skew`.
[[nodiscard]] inline std::vector<Key> zipf_trace(std::size_t requests, std::size_t keys,
                                                 double skew, std::uint64_t seed) {
  std::vector<double> shares(keys);
  double sum = 0;
  for (std::size_t i = 0; i < keys; ++i) {
    sum += 1 / std::pow(static_cast<double>(i + 1), skew);
    shares[i] = sum;
  }
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> point(0, sum);
  std::vector<Key> trace(requests);
  for (Key& key : trace) {
    const auto place = std::lower_bound(shares.begin(), shares.end(), point(random));
    key = static_cast<Key>(place - shares.begin());
  }
  return trace;
}

// `trace` with `length` keys never asked for again put in after every `every` requests.
[[nodiscard]] inline std::vector<Key> with_scans(const std::vector<Key>& trace, std::size_t every,
                                                 std::size_t length) {
  constexpr Key kFirstScanned = 1'000'000'000;
  std::vector<Key> mixed;
  Key next = kFirstScanned;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    mixed.push_back(trace[i]);
    if ((i + 1) % every != 0) continue;
    for (std::size_t scanned = 0; scanned < length; ++scanned) mixed.push_back(next++);
  }
  return mixed;
}

}  // namespace vcache::testing
