#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "l1/l1_cache.hpp"

// What the memory tier can say of learned eviction.
namespace vcache::l1 {

std::optional<LearningStats> L1Cache::learning() const {
  if (tutor_ == nullptr) return std::nullopt;
  LearningStats sum{.has_model = options_.learning.model != nullptr || tutor_->version() > 0,
                    .tutor = tutor_->record()};
  std::map<std::string_view, std::size_t> leaders;
  for (const auto& shard : shards_) {
    shard->catch_up();
    learning::Steward& steward = *shard->steward();
    const base::LockGuard turn(steward);
    const policy::Learned& learned = steward.policy();
    ++leaders[shard->leader(steward)];
    sum.switches += learned.switches();
    sum.failures += learned.failures();
    sum.reliability.add(steward.reliability());
    const auto experts = learned.experts();
    for (std::size_t i = 0; i < experts.size(); ++i) {
      if (experts[i].name.empty()) continue;
      sum.experts[i].name = experts[i].name;
      sum.experts[i].misses += experts[i].misses;
      sum.experts[i].recent += experts[i].recent;
    }
  }
  const auto most = std::ranges::max_element(leaders, {}, [](const auto& l) { return l.second; });
  sum.leader = most->first;
  sum.led_shards = most->second;
  return sum;
}

L1Cache::Entrance L1Cache::caught_up(std::string_view key) const {
  const Probe probe{.key = key, .hash = hash_of(key)};
  Shard& shard = shard_of(probe.hash);
  shard.catch_up();
  return {.shard = shard, .key_hash = probe.hash, .id = shard.id_of(probe)};
}

std::optional<policy::Judgement> L1Cache::judge(std::string_view key) const {
  if (tutor_ == nullptr) return std::nullopt;
  const Entrance at = caught_up(key);
  learning::Steward& steward = *at.shard.steward();
  const base::LockGuard turn(steward);
  auto known = steward.policy().judge(at.key_hash, at.id);
  if (!known && at.id != policy::kNoEntry) known.emplace().is_held = true;
  if (known) known->leader = at.shard.leader(steward);
  return known;
}

std::optional<double> L1Cache::predict(std::string_view key) const {
  if (tutor_ == nullptr) return std::nullopt;
  const Entrance at = caught_up(key);
  learning::Steward& steward = *at.shard.steward();
  const base::LockGuard turn(steward);
  return steward.predict(at.key_hash, at.id);
}

bool L1Cache::pin(std::string_view expert) {
  if (tutor_ == nullptr) return false;
  const auto pin_all = [this](std::string_view name) {
    bool all = true;
    for (const auto& shard : shards_) {
      const base::LockGuard turn(*shard->steward());
      all = shard->steward()->pin(name) && all;
    }
    return all;
  };
  return pin_all(expert) || (pin_all({}), false);
}

}  // namespace vcache::l1
