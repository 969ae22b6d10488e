#include <algorithm>
#include <bit>
#include <random>

#include "l1/l1_cache.hpp"

// Entries on their way to another cache, and from one.
namespace vcache::l1 {

namespace {

constexpr unsigned kMostRounds = 4;  // of uses told again

}  // namespace

std::uint64_t random_instance() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::optional<Placed> Tour::next() noexcept {
  std::size_t least = ranked_.size();
  double share = 1;
  for (std::size_t s = 0; s < ranked_.size(); ++s) {
    const double gone =
        static_cast<double>(next_[s]) / std::max(static_cast<double>(ranked_[s].size()), 1.0);
    if (next_[s] < ranked_[s].size() && gone < share) {
      least = s;
      share = gone;
    }
  }
  if (least == ranked_.size()) return std::nullopt;
  return Placed{.shard = least, .entry = ranked_[least][next_[least]++]};
}

Tour L1Cache::hottest_first() {
  std::vector<std::vector<policy::Ranked>> ranked;
  ranked.reserve(shards_.size());
  for (const auto& shard : shards_) ranked.push_back(shard->ranking());
  return Tour(std::move(ranked));
}

Pinned L1Cache::pin(const Placed& placed) {
  return shards_[placed.shard]->pin(placed.entry.id, now());
}

Restored L1Cache::restore(std::string_view key, const base::ValueView& value, const Kept& kept,
                          const Gate* gate, Restoration& restoration) {
  if (!kept.is_verified) doubted_.store(true, std::memory_order_relaxed);
  const std::uint64_t hash = hash_of(key);
  const std::size_t index = shard_index(hash, shards_.size() - 1);
  restoration.shards.resize(shards_.size());
  Restoration::Share& share = restoration.shards[index];
  if (share.is_full) return Restored::kNoRoom;
  Identity identity = identity_of(key, kept.lifetime, kept.age, kept.made, kept.longest);
  if (!kept.is_verified) identity.expires = -identity.expires;
  identity.is_from_redis = kept.is_from_redis;
  if (identity.use) identity.use->counted = kept.hits;  // none of them of the last day
  const Publication publication{.hash = hash, .now = now(), .identity = identity, .gate = gate};
  const Shard::Placement placement = shards_[index]->restore(key, value, publication, kept);
  share.is_full |= placement.is_full;
  if (placement.outcome == Restored::kStored && tutor_ != nullptr) {
    share.taken.push_back({.id = placement.id, .uses = kept.standing.uses});
  }
  return placement.outcome;
}

bool L1Cache::is_full(const Restoration& restoration) const noexcept {
  return restoration.shards.size() == shards_.size() &&
         std::ranges::all_of(restoration.shards, &Restoration::Share::is_full);
}

// The last to leave is used last, and what was used more, in more rounds: what learns knows times
// and numbers of uses.
void L1Cache::finish(Restoration& restoration) {
  for (std::size_t s = 0; s < restoration.shards.size(); ++s) {
    auto& taken = restoration.shards[s].taken;
    std::ranges::reverse(taken);
    for (unsigned round = 0; round < kMostRounds && !taken.empty(); ++round) {
      std::vector<policy::EntryId> ids;
      for (const auto& each : taken) {
        if (std::bit_width(each.uses) > round) ids.push_back(each.id);
      }
      shards_[s]->use_again(ids);
    }
    taken = {};
  }
}

}  // namespace vcache::l1
