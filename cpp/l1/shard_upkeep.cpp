#include <algorithm>

#include "l1/shard.hpp"

// What a shard does to entries that nobody asks for.
namespace vcache::l1 {

using policy::kNoEntry;

void Shard::drop_unverified(const Probe& probe, std::int64_t now, const Gate& gate) {
  const base::SpinLock lock(mutex_);
  const EntryId id = lookup(probe);
  if (id != kNoEntry && entries_[id]->is_expired(now) && gate.is_open()) drop(probe);
}

template <class Change>
std::size_t Shard::change_some(std::size_t from, Change change) {
  const std::size_t end = std::min(from + kSlice, entries_.size());
  for (std::size_t id = from; id < end; ++id) {
    if (entries_[id] != nullptr) change(*entries_[id]);
  }
  return end == entries_.size() ? 0 : end;
}

std::size_t Shard::distrust_some(std::size_t from) {
  const base::SpinLock lock(mutex_);
  return change_some(from, [](Entry& entry) { entry.distrust(); });
}

std::size_t Shard::shorten_some(std::size_t from, std::int64_t now) {
  const base::SpinLock lock(mutex_);
  return change_some(from,
                     [this, now](Entry& entry) VCACHE_REQUIRES(mutex_) { shorten(entry, now); });
}

void Shard::limit_lifetimes(std::int64_t longest) {
  const base::SpinLock lock(mutex_);
  longest_ = longest;
}

void Shard::shorten(Entry& entry, std::int64_t now) const noexcept {
  if (longest_ < kNever - now) entry.end_by(now + longest_);
}

void Shard::count_use(const Entry& entry) const noexcept {
  if (usage_ != nullptr) usage_->add(entry.key(), entry.uncounted());
}

std::uint32_t Shard::uncounted(const Probe& probe) const {
  const base::SpinLock lock(mutex_);
  const EntryId id = lookup(probe);
  return id == kNoEntry || usage_ == nullptr ? 0 : entries_[id]->uncounted();
}

std::size_t Shard::keys_some(std::size_t from, std::vector<std::string>& keys) const {
  const base::SpinLock lock(mutex_);
  const std::size_t end = std::min(from + kSlice, entries_.size());
  for (std::size_t id = from; id < end; ++id) {
    if (entries_[id] != nullptr) keys.emplace_back(entries_[id]->key());
  }
  return end >= entries_.size() ? 0 : end;
}

std::size_t Shard::live_keys_some(std::size_t from, std::int64_t now, Trust trust,
                                  std::string_view prefix, std::vector<std::string>& keys) const {
  const base::SpinLock lock(mutex_);
  const std::size_t end = std::min(from + kSlice, entries_.size());
  for (std::size_t id = from; id < end; ++id) {
    const Entry* entry = entries_[id];
    if (entry == nullptr || !entry->key().starts_with(prefix)) continue;
    const bool ended = trust == Trust::kAny ? entry->ends() <= now : entry->is_expired(now);
    if (!ended && !is_ended_by_tag(*entry)) keys.emplace_back(entry->key());
  }
  return end >= entries_.size() ? 0 : end;
}

std::size_t Shard::hottest_some(std::size_t from, std::int64_t now, Hottest& hottest) const {
  const base::SpinLock lock(mutex_);
  const std::size_t end = std::min(from + kSlice, entries_.size());
  for (std::size_t id = from; id < end; ++id) {
    const Entry* entry = entries_[id];
    if (entry == nullptr || !hottest.takes(entry->hits)) continue;
    if (entry->ends() > now && !is_ended_by_tag(*entry)) hottest.add(entry->key(), entry->hits);
  }
  return end >= entries_.size() ? 0 : end;
}

// Looks at one entry for each publication, so that expired ones do not wait for an eviction; at
// several in a row, so that the memory each needs is on its way at once.
void Shard::sweep(std::int64_t now) {
  if (++unswept_ < kSweep) return;
  for (; unswept_ > 0; --unswept_) sweep_one(now);
}

void Shard::sweep_one(std::int64_t now) {
  const auto id = static_cast<EntryId>(sweep_cursor_);
  if (++sweep_cursor_ >= entries_.size()) sweep_cursor_ = 0;
  if (entries_[id] != nullptr && is_over(*entries_[id], now)) expire(id);
}

void Shard::expire(EntryId id) {
  drain_notes();
  policy::on_erase(policy_, id);
  remove(id);
  ++counters_.expired;
}

void Shard::clear() {
  const base::SpinLock lock(mutex_);
  drain_notes();
  for (EntryId id = 0; id < entries_.size(); ++id) {
    if (entries_[id] == nullptr) continue;
    policy::on_erase(policy_, id);
    remove(id);
  }
  index_.clear();
  entries_ = {};
  free_ids_ = {};
  sweep_cursor_ = 0;
  arena_->drain_deferred();
}

ShardStats Shard::stats() const {
  const base::SpinLock lock(mutex_);
  ShardStats stats = counters_;
  stats.entries = index_.size();
  stats.memory_bytes = used_bytes_ + bookkeeping_bytes();
  stats.learned_bytes = steward_bytes_;
  if (const auto* prepared = std::get_if<policy::Prepared>(&policy_)) {
    stats.unprepared += prepared->counts().unprepared;
    stats.dropped += prepared->counts().dropped;
  }
  stats.pinned_bytes = arena_->pinned_bytes.load(std::memory_order_relaxed);
  return stats;
}

void Shard::evict_to_limits() {
  while (policy::size(policy_) > 0 && used_bytes_ + bookkeeping_bytes() > limits_.bytes) {
    (void)evict_one();
  }
}

}  // namespace vcache::l1
