#include <algorithm>

#include "l1/policy/ranking.hpp"
#include "l1/shard.hpp"

// How a shard hands its entries to another cache, and takes such over.
namespace vcache::l1 {

namespace {

using learning::Known;
using learning::Steward;
using policy::kNoEntry;
using policy::Prepared;
using policy::Ranked;

// What is known of an entry under a steward: the lower the rank, the later it is to leave.
struct Judged {
  Ranked ranked;
  double rank = 0;
};

// Time since the last access over the number of accesses; what was chosen to leave comes last.
Judged judged(const policy::Learned& learned, const Known& entry) {
  const auto id = entry.named.id;
  Judged out{.ranked = {.id = id}};
  if (!learned.holds(id)) return out;
  const predictor::KeyPast past = learned.past(id);
  constexpr std::uint16_t kMostUses = 16;
  const auto age = static_cast<predictor::AccessTime>(learned.now() - past.last);
  out.ranked.standing.uses = past.accesses;
  out.rank = static_cast<double>(age) / std::clamp<std::uint16_t>(past.accesses, 1, kMostUses);
  if (learned.is_chosen(id)) out.rank += static_cast<double>(1ULL << 40);
  return out;
}

}  // namespace

std::vector<Ranked> Shard::ranking() {
  std::optional<policy::AnyPolicy> copy;
  if (steward_ == nullptr) {
    copy = policy_copy();
  } else {
    const base::LockGuard turn(*steward_);  // who decides stays until it is copied
    if (auto ranked = judged_ranking(*steward_)) return std::move(*ranked);
    copy = policy_copy();
  }
  return copy ? policy::ranking(*copy) : std::vector<Ranked>();
}

std::optional<policy::AnyPolicy> Shard::policy_copy() {
  const base::SpinLock lock(mutex_);
  drain_notes();
  return policy::copy_of(policy_);
}

// None where a classic policy decides.
std::optional<std::vector<Ranked>> Shard::judged_ranking(Steward& steward) {
  prepare(steward, 0);
  std::vector<Known> entries;
  {
    const base::SpinLock lock(mutex_);
    if (!std::holds_alternative<Prepared>(policy_)) return std::nullopt;
    entries = known();
  }
  std::vector<Judged> all;
  all.reserve(entries.size());
  for (const Known& entry : entries) all.push_back(judged(steward.policy(), entry));
  std::ranges::stable_sort(all, {}, &Judged::rank);
  std::vector<Ranked> ranked;
  ranked.reserve(all.size());
  for (const Judged& each : all) ranked.push_back(each.ranked);
  return ranked;
}

Pinned Shard::pin(EntryId id, std::int64_t now) {
  const base::SpinLock lock(mutex_);
  if (id >= entries_.size() || entries_[id] == nullptr) return {};
  Entry& entry = *entries_[id];
  if (entry.ends() <= now || is_ended_by_tag(entry)) return {};
  entry.pin();
  return {.entry = EntryRef(&entry), .hits = entry.hits};
}

Shard::Placement Shard::restore(std::string_view key, const base::ValueView& value,
                                const Publication& publication, const Kept& kept) {
  if (steward_ != nullptr) prepare(0);
  const Probe probe{.key = key, .hash = publication.hash};
  const std::size_t bytes = Entry::bytes_for(key, value, usage_ != nullptr);
  const std::size_t block = store::Arena::block_bytes(bytes);
  Entry* entry = nullptr;
  {
    const base::SpinLock lock(mutex_);
    if (!outdates(publication, probe)) return {.outcome = Restored::kNewer};
    if (has_room(block)) entry = reserve_free(key, value, bytes);
    if (entry == nullptr) return {.outcome = Restored::kNoRoom, .is_full = !is_too_large(block)};
  }
  entry->fill(value.payload);
  entry->identify(publication.identity);
  entry->put_marks(kept.marks);
  entry->hits = kept.hits;
  const base::SpinLock lock(mutex_);
  try {
    const Placement placement = settle(entry, publication, kept.standing);
    if (placement.outcome != Restored::kStored) arena_->free(entry);
    return placement;
  } catch (...) {
    arena_->free(entry);
    throw;
  }
}

// Whether an entry of that identity may take the place of what is under the key.
bool Shard::outdates(const Publication& publication, const Probe& probe) const {
  const EntryId id = lookup(probe);
  if (id == kNoEntry) return true;
  const Entry& held = *entries_[id];
  return !held.is_verified() || held.created < publication.identity.created ||
         is_over(held, publication.now);
}

// As reserve(), but nothing leaves for it.
Entry* Shard::reserve_free(std::string_view key, const base::ValueView& value, std::size_t bytes) {
  set_arena_limit(limits_.bytes / kFragmentedShare);
  void* memory = arena_->allocate(bytes);
  if (memory == nullptr) return nullptr;
  return Entry::create(memory, *arena_, key, value, 0, usage_ != nullptr);
}

Shard::Placement Shard::settle(Entry* entry, const Publication& publication,
                               const policy::Standing& standing) {
  const Probe probe{.key = entry->key(), .hash = publication.hash};
  if (publication.gate != nullptr && !publication.gate->is_open()) {
    return {.outcome = Restored::kVoid};
  }
  shorten(*entry, publication.now);
  if (entry->ends() <= publication.now || is_ended_by_tag(*entry)) {
    return {.outcome = Restored::kVoid};
  }
  if (!outdates(publication, probe)) return {.outcome = Restored::kNewer};
  drop(probe);
  if (index_.size() >= limits_.entries) return {.outcome = Restored::kNoRoom, .is_full = true};
  drain_notes();
  if (entry->group >= counters_.group_hits.size()) {
    counters_.group_hits.resize(entry->group + 1U);
  }
  index_.reserve_one();
  const EntryId id = new_id(entry);
  try {
    policy::on_restore(policy_, id, candidate_of(*entry, publication.hash), standing);
  } catch (...) {
    free_id(id);
    throw;
  }
  index_.insert(publication.hash, id);
  used_bytes_ += entry->block_bytes();
  evict_to_limits();  // the tables may have grown
  return {.outcome = Restored::kStored, .id = id};
}

// Some at once, so that no note of them is dropped.
void Shard::use_again(std::span<const EntryId> ids) {
  while (!ids.empty()) {
    const auto some = ids.first(std::min(ids.size(), kReplayed));
    {
      const base::SpinLock lock(mutex_);
      drain_notes();
      for (const EntryId id : some) {
        if (id < entries_.size() && entries_[id] != nullptr) policy::on_hits(policy_, {&id, 1});
      }
    }
    prepare(0);
    ids = ids.subspan(some.size());
  }
}

}  // namespace vcache::l1
