#include <algorithm>
#include <array>

#include "l1/shard.hpp"

// How a shard finds entries.
namespace vcache::l1 {

namespace {

using policy::kNoEntry;

bool ended(const Entry& entry, std::int64_t now, Trust trust) noexcept {
  return trust == Trust::kAny ? entry.ends() <= now : entry.is_expired(now);
}

void record_hits(std::span<const Probe> probes, std::span<const EntryRef> found, std::int64_t now,
                 const Recorder& recorder) noexcept {
  std::uint32_t place = recorder.take_places(probes.size());
  for (const Probe& probe : probes) {
    if (found[probe.place]) recorder.add_hit(probe.key, *found[probe.place], now, place++);
  }
}

}  // namespace

EntryRef Shard::find(const Probe& probe, std::int64_t now) {
  const base::SpinLock lock(mutex_);
  const EntryId id = lookup_live(probe, now);
  return EntryRef(id == kNoEntry ? nullptr : hit(id));
}

EntryRef Shard::find_unverified(const Probe& probe, std::int64_t now) {
  const base::SpinLock lock(mutex_);
  const EntryId id = lookup_stale(probe, now);
  return EntryRef(id == kNoEntry ? nullptr : hit(id, Trust::kAny));
}

void Shard::find_many(std::span<const Probe> probes, std::int64_t now, Trust trust,
                      std::span<EntryRef> out, const Recorder* recorder) {
  const base::SpinLock lock(mutex_);
  while (!probes.empty()) {
    const auto window = probes.first(std::min(probes.size(), kWindow));
    find_window(window, now, trust, out);
    if (recorder != nullptr) record_hits(window, out, now, *recorder);
    probes = probes.subspan(window.size());
  }
}

EntryRef Shard::find(const Probe& probe, std::int64_t now, Trust trust, const Recorder& recorder) {
  const base::SpinLock lock(mutex_);
  const EntryId id = lookup(probe, now, trust);
  if (id == kNoEntry) return {};
  Entry* entry = hit(id, trust);
  recorder.add_hit(probe.key, *entry, now, recorder.take_places(1));
  return EntryRef(entry);
}

void Shard::record(std::string_view key, const Access& access, const Recorder& recorder) {
  const base::SpinLock lock(mutex_);
  recorder.add(key, access);
}

// Three passes, so that the memory each needs is on its way: slots, headers with keys, payloads.
void Shard::find_window(std::span<const Probe> probes, std::int64_t now, Trust trust,
                        std::span<EntryRef> out) {
  std::array<EntryId, kWindow> likely;
  for (const Probe& probe : probes) index_.prefetch(probe.hash);
  for (std::size_t i = 0; i < probes.size(); ++i) {
    likely[i] = index_.peek(probes[i].hash);
    if (likely[i] == kNoEntry) continue;
    prefetch_header(entries_[likely[i]]);
  }
  for (std::size_t i = 0; i < probes.size(); ++i) {
    EntryId id = likely[i];
    if (id == kNoEntry) continue;
    const Entry* entry = entries_[id];
    const bool sure = entry != nullptr && entry->has_key(probes[i].key) &&
                      !ended(*entry, now, trust) && !entry->has_tags();
    if (!sure) id = lookup(probes[i], now, trust);
    if (id == kNoEntry) continue;
    __builtin_prefetch(entries_[id]->payload().data());
    out[probes[i].place].adopt(hit(id, trust));
  }
}

EntryRef Shard::peek(const Probe& probe, std::int64_t now) {
  const base::SpinLock lock(mutex_);
  const EntryId id = lookup_live(probe, now);
  if (id == kNoEntry) return {};
  entries_[id]->pin();
  return EntryRef(entries_[id]);
}

EntryRef Shard::peek_stale(const Probe& probe, std::int64_t now) {
  const base::SpinLock lock(mutex_);
  const EntryId id = lookup_stale(probe, now - limits_.grace);
  if (id == kNoEntry) return {};
  entries_[id]->pin();
  return EntryRef(entries_[id]);
}

Shard::EntryId Shard::lookup(const Probe& probe) const {
  Entry* const* entries = entries_.data();
  return index_.find(probe.hash, [&](EntryId id) {
    __builtin_prefetch(reinterpret_cast<const char*>(entries[id]) + 64);  // the key's own line
    return entries[id]->has_key(probe.key);
  });
}

Shard::EntryId Shard::lookup_live(const Probe& probe, std::int64_t now) {
  const EntryId id = lookup(probe);
  if (id == kNoEntry) return id;
  const Entry& entry = *entries_[id];
  if (!entry.is_expired(now) && !is_ended_by_tag(entry)) return id;
  if (is_over(entry, now)) expire(id);
  return kNoEntry;
}

Shard::EntryId Shard::lookup_stale(const Probe& probe, std::int64_t end) const {
  const EntryId id = lookup(probe);
  const bool ends_later = id != kNoEntry && entries_[id]->ends() > end;
  return ends_later && !is_ended_by_tag(*entries_[id]) ? id : kNoEntry;
}

Shard::EntryId Shard::lookup(const Probe& probe, std::int64_t now, Trust trust) {
  return trust == Trust::kAny ? lookup_stale(probe, now) : lookup_live(probe, now);
}

bool Shard::is_over(const Entry& entry, std::int64_t now) const noexcept {
  return (now != kTrustNothing && entry.ends() <= now - limits_.grace) || is_ended_by_tag(entry);
}

// Pins the entry and counts the hit; place() made room for its group.
Entry* Shard::hit(EntryId id) noexcept {
  Entry* entry = entries_[id];
  entry->pin();
  ++entry->hits;
  notes_[note_count_++] = id;
  if (note_count_ == kNotes) drain_notes();
  ++counters_.hits;
  ++counters_.group_hits[entry->group];
  if (const Costs costs = entry->costs(); costs.any()) {
    counters_.cost_saved += static_cast<double>(costs.cost);
    counters_.seconds_saved += static_cast<double>(costs.seconds);
  }
  if (usage_ != nullptr) [[unlikely]] {
    extend(*entry);  // last, so that nothing else has to be kept over the call
  }
  return entry;
}

// The read may be the one by which the entry stays longer.
void Shard::extend(Entry& entry) const noexcept {
  const std::int64_t latest = entry.use().latest;
  const std::uint32_t reads = entry.reads();
  if (latest == Use::kFixed || !usage_->rule().changes_at(reads)) return;
  const std::int64_t now = usage_->now().count();
  const std::int64_t end = std::min(now + usage_->rule().of(reads).count(), latest);
  if (end <= entry.ends()) return;
  entry.end_at(end);
  shorten(entry, now);
}

Entry* Shard::hit(EntryId id, Trust trust) noexcept {
  counters_.stale += trust == Trust::kAny ? 1 : 0;
  return hit(id);
}

void Shard::drain_notes() noexcept {
  policy::on_hits(policy_, {notes_.data(), note_count_});
  note_count_ = 0;
}

}  // namespace vcache::l1
