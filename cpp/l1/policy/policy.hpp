#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vcache::l1::policy {

// Names an entry of one shard. Small and dense: a freed id is given out again.
using EntryId = std::uint32_t;
inline constexpr EntryId kNoEntry = 0xFFFFFFFF;

// Key groups that are told apart.
inline constexpr std::size_t kGroups = 64;

// Of what key group the key is, and which tier the value came from.
class Origin {
 public:
  constexpr Origin() = default;
  // `group`: below kGroups; 0: another one, or unknown. `is_from_redis`: promoted, not computed
  // here, so that a miss may cost a round trip only.
  constexpr explicit Origin(std::uint8_t group, bool is_from_redis = false) noexcept
      : bits_(static_cast<std::uint8_t>(group | (is_from_redis ? kFromRedis : 0))) {}

  [[nodiscard]] constexpr std::uint8_t group() const noexcept { return bits_ & (kGroups - 1); }
  [[nodiscard]] constexpr bool is_from_redis() const noexcept { return (bits_ & kFromRedis) != 0; }

 private:
  static constexpr std::uint8_t kFromRedis = 0x80;
  static_assert(kGroups <= kFromRedis);

  std::uint8_t bits_ = 0;
};

// What a policy may know of an entry.
struct Candidate {
  std::uint64_t key_hash = 0;
  std::uint32_t bytes = 0;  // memory the entry occupies; 1 where capacity counts entries
  float cost = 0;           // of a miss; 0 when unknown
  Origin origin = {};
};

// Decides which entry leaves. A pure bookkeeper over ids: no lock, no clock, no I/O, no values.
// The owner serializes all calls and reports accesses in batches, in order, after the fact.
//   on_insert  Requires: id is not held.   on_hit, on_update, on_erase, holds: id is held.
//   on_update  the entry got a new value (counts as an access).
//   on_erase   the entry left for another reason than eviction: nothing is remembered of it.
//   evict      chooses a victim, forgets it (keeping a ghost where the algorithm has one) and
//              returns its id. Requires: size() > 0. Never returns an id that is not held.
//   on_miss    optional: the key, which is not held, was asked for or is about to be inserted. Told
//              before room is made for it, perhaps more than once, perhaps not at all where there
//              is room, and perhaps in vain: bytes is what it would occupy, cost may be missing.
//   bytes      sum of Candidate::bytes held; memory_bytes: what the bookkeeping itself occupies.
// Algorithms that need a capacity use shares of bytes(): at the time of an eviction a cache is
// full.
template <class P>
concept EvictionPolicy = requires(P p, const P c, EntryId id, const Candidate& candidate) {
  { P::kName } -> std::convertible_to<std::string_view>;
  { p.on_insert(id, candidate) } -> std::same_as<void>;
  { p.on_update(id, candidate) } -> std::same_as<void>;
  { p.on_hit(id) } noexcept -> std::same_as<void>;
  { p.on_erase(id) } noexcept -> std::same_as<void>;
  { p.evict() } -> std::same_as<EntryId>;
  { c.size() } noexcept -> std::same_as<std::size_t>;
  { c.bytes() } noexcept -> std::same_as<std::uint64_t>;
  { c.memory_bytes() } noexcept -> std::same_as<std::size_t>;
};

template <class P>
concept LearnsOfMisses = requires(P p, const Candidate& candidate) {
  { p.on_miss(candidate) } noexcept -> std::same_as<void>;
};

// on_miss() of a policy that has it.
template <EvictionPolicy P>
void tell_miss(P& policy, const Candidate& candidate) noexcept {
  if constexpr (LearnsOfMisses<P>) policy.on_miss(candidate);
}

}  // namespace vcache::l1::policy
