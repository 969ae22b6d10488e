#include "l1/shard.hpp"

#include <algorithm>
#include <bit>

#include "base/hash.hpp"

namespace vcache::l1 {

namespace {

using policy::kNoEntry;

constexpr std::size_t kMinChunk = std::size_t{16} << 10;
constexpr std::size_t kMaxChunk = std::size_t{1} << 20;

// An eighth of the shard, so that a partly used chunk wastes little of it.
std::size_t chunk_bytes_for(std::size_t shard_bytes) noexcept {
  return std::clamp(std::bit_floor(shard_bytes / 8 + 1), kMinChunk, kMaxChunk);
}

bool expired(const Entry& entry, std::int64_t now) noexcept {
  return entry.expires.load(std::memory_order_relaxed) <= now;
}

// The lines of the header and the key, to be written to.
void prefetch_header(const Entry* entry) noexcept {
  const auto* line = reinterpret_cast<const char*>(entry);
  __builtin_prefetch(line, 1);
  __builtin_prefetch(line + 64);
  __builtin_prefetch(line + 104);
}

policy::Candidate candidate_of(const Entry& entry, std::uint64_t hash) noexcept {
  return {.key_hash = hash,
          .bytes = static_cast<std::uint32_t>(entry.block_bytes()),
          .cost = entry.costs().cost};
}

}  // namespace

Shard::Shard(ShardLimits limits, policy::AnyPolicy policy, std::uint64_t seed)
    : limits_(limits),
      seed_(seed),
      chunk_bytes_(chunk_bytes_for(limits.bytes)),
      arena_(new store::Arena(chunk_bytes_)),
      policy_(std::move(policy)) {}

Shard::~Shard() {
  clear();
  arena_->release();
}

EntryRef Shard::find(const Probe& probe, std::int64_t now) {
  const base::SpinLock lock(mutex_);
  const EntryId id = lookup_live(probe, now);
  return EntryRef(id == kNoEntry ? nullptr : hit(id));
}

void Shard::find_many(std::span<const Probe> probes, std::int64_t now, std::span<EntryRef> out) {
  const base::SpinLock lock(mutex_);
  while (!probes.empty()) {
    const auto window = probes.first(std::min(probes.size(), kWindow));
    find_window(window, now, out);
    probes = probes.subspan(window.size());
  }
}

// Three passes, so that the memory each needs is on its way: slots, headers with keys, payloads.
void Shard::find_window(std::span<const Probe> probes, std::int64_t now, std::span<EntryRef> out) {
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
    const bool sure = entry != nullptr && entry->key() == probes[i].key && !expired(*entry, now);
    if (!sure) id = lookup_live(probes[i], now);
    if (id == kNoEntry) continue;
    __builtin_prefetch(entries_[id]->payload().data());
    out[probes[i].place].adopt(hit(id));
  }
}

EntryRef Shard::peek(const Probe& probe, std::int64_t now) {
  const base::SpinLock lock(mutex_);
  const EntryId id = lookup_live(probe, now);
  if (id == kNoEntry) return {};
  entries_[id]->pin();
  return EntryRef(entries_[id]);
}

Entry* Shard::insert(std::string_view key, const base::ValueView& value,
                     const Publication& publication, std::uint32_t pins) {
  const bool small = value.payload.size() <= kCopyUnderLock;
  Entry* entry = nullptr;
  {
    const base::SpinLock lock(mutex_);
    prefetch(publication.hash);  // read by publish(), after the copy
    entry = reserve(key, value, pins);
    if (entry == nullptr) {
      drop({.key = key, .hash = publication.hash});
      return nullptr;
    }
    if (small) {
      entry->fill(value.payload);
      publish(entry, publication);
      return entry;
    }
  }
  entry->fill(value.payload);
  const base::SpinLock lock(mutex_);
  publish(entry, publication);
  return entry;
}

void Shard::prefetch(std::uint64_t hash) const {
  const EntryId likely = index_.peek(hash);
  if (likely == kNoEntry) return;
  prefetch_header(entries_[likely]);
}

// Memory for a value, all but the payload written; nullptr when the shard declines it.
Entry* Shard::reserve(std::string_view key, const base::ValueView& value, std::uint32_t pins) {
  const std::size_t bytes = Entry::bytes_for(key, value);
  raise_arena_limit();
  const bool fits = store::Arena::block_bytes(bytes) <= limits_.bytes;
  void* memory = fits ? arena_->allocate(bytes) : nullptr;
  while (fits && memory == nullptr && policy::size(policy_) > 0) {
    evict_one();
    memory = arena_->allocate(bytes);
  }
  if (memory != nullptr) return Entry::create(memory, *arena_, key, value, pins);
  ++counters_.declined;
  return nullptr;
}

void Shard::publish(Entry* entry, const Publication& publication) {
  entry->created = publication.created;
  entry->expires.store(publication.expires, std::memory_order_relaxed);
  entry->group = publication.group;
  drain_notes();
  used_bytes_ += entry->block_bytes();
  if (publication.group >= counters_.group_hits.size()) {
    counters_.group_hits.resize(publication.group + 1U);
  }
  const EntryId held = lookup({.key = entry->key(), .hash = publication.hash});
  if (held != kNoEntry) {
    replace(held, entry);
    policy::on_update(policy_, held, candidate_of(*entry, publication.hash));
  } else {
    const EntryId id = new_id(entry);
    index_.insert(publication.hash, id);
    policy::on_insert(policy_, id, candidate_of(*entry, publication.hash));
  }
  sweep_one(publication.now);
  evict_to_limits();
}

bool Shard::erase(const Probe& probe, std::int64_t now) {
  const base::SpinLock lock(mutex_);
  if (lookup_live(probe, now) == kNoEntry) return false;
  drop(probe);
  return true;
}

void Shard::drop(const Probe& probe) {
  const EntryId id = lookup(probe);
  if (id == kNoEntry) return;
  drain_notes();
  policy::on_erase(policy_, id);
  remove(id);
}

bool Shard::touch(const Probe& probe, std::int64_t now, std::int64_t expires) {
  const base::SpinLock lock(mutex_);
  const EntryId id = lookup_live(probe, now);
  if (id == kNoEntry) return false;
  entries_[id]->expires.store(expires, std::memory_order_relaxed);
  return true;
}

void Shard::clear() {
  const base::SpinLock lock(mutex_);
  drain_notes();
  for (EntryId id = 0; id < entries_.size(); ++id) {
    if (entries_[id] == nullptr) continue;
    policy::on_erase(policy_, id);
    remove(id);
  }
  arena_->drain_deferred();
}

ShardStats Shard::stats() const {
  const base::SpinLock lock(mutex_);
  ShardStats stats = counters_;
  stats.entries = index_.size();
  stats.memory_bytes = used_bytes_ + bookkeeping_bytes();
  stats.pinned_bytes = arena_->pinned_bytes.load(std::memory_order_relaxed);
  return stats;
}

Shard::EntryId Shard::lookup(const Probe& probe) const {
  Entry* const* entries = entries_.data();
  return index_.find(probe.hash, [&](EntryId id) {
    __builtin_prefetch(reinterpret_cast<const char*>(entries[id]) + 64);  // the key's own line
    return entries[id]->key() == probe.key;
  });
}

Shard::EntryId Shard::lookup_live(const Probe& probe, std::int64_t now) {
  const EntryId id = lookup(probe);
  if (id == kNoEntry || !expired(*entries_[id], now)) return id;
  drain_notes();
  policy::on_erase(policy_, id);
  remove(id);
  ++counters_.expired;
  return kNoEntry;
}

// Pins the entry and counts the hit; publish() made room for its group.
Entry* Shard::hit(EntryId id) noexcept {
  Entry* entry = entries_[id];
  entry->pin();
  notes_[note_count_++] = id;
  if (note_count_ == kNotes) drain_notes();
  ++counters_.hits;
  ++counters_.group_hits[entry->group];
  if (const Costs costs = entry->costs(); costs.any()) {
    counters_.cost_saved += static_cast<double>(costs.cost);
    counters_.seconds_saved += static_cast<double>(costs.seconds);
  }
  return entry;
}

void Shard::drain_notes() noexcept {
  policy::on_hits(policy_, {notes_.data(), note_count_});
  note_count_ = 0;
}

Shard::EntryId Shard::new_id(Entry* entry) {
  EntryId id = 0;
  if (free_ids_.empty()) {
    id = static_cast<EntryId>(entries_.size());
    entries_.push_back(entry);
  } else {
    id = free_ids_.back();
    free_ids_.pop_back();
    entries_[id] = entry;
  }
  return id;
}

void Shard::replace(EntryId id, Entry* entry) {
  Entry* older = entries_[id];
  entries_[id] = entry;
  let_go(older);
}

// Takes an entry that the policy no longer holds out of the index.
void Shard::remove(EntryId id) noexcept {
  Entry* entry = entries_[id];
  index_.erase(hash_of(*entry), id);
  entries_[id] = nullptr;
  free_ids_.push_back(id);
  let_go(entry);
}

// Frees an entry that left the index, or leaves that to its last view.
void Shard::let_go(Entry* entry) noexcept {
  const std::size_t bytes = entry->block_bytes();
  used_bytes_ -= bytes;
  if (!entry->viewed()) {
    arena_->free(entry);
    return;
  }
  arena_->pinned_bytes.fetch_add(bytes, std::memory_order_relaxed);
  arena_->retain();
  if (entry->retire()) EntryRef::free(entry);
}

void Shard::evict_one() {
  drain_notes();
  remove(policy::evict(policy_));
  ++counters_.evictions;
}

void Shard::evict_to_limits() {
  while (policy::size(policy_) > 0 &&
         (used_bytes_ + bookkeeping_bytes() > limits_.bytes || index_.size() > limits_.entries)) {
    evict_one();
  }
}

// Looks at one more entry at each publication, so that expired ones do not wait for an eviction.
void Shard::sweep_one(std::int64_t now) {
  const auto id = static_cast<EntryId>(sweep_cursor_);
  if (++sweep_cursor_ >= entries_.size()) sweep_cursor_ = 0;
  __builtin_prefetch(entries_[sweep_cursor_]);  // for the next publication
  if (entries_[id] == nullptr || !expired(*entries_[id], now)) return;
  policy::on_erase(policy_, id);
  remove(id);
  ++counters_.expired;
}

std::size_t Shard::bookkeeping_bytes() const {
  return index_.memory_bytes() + entries_.size() * sizeof(Entry*) +
         free_ids_.size() * sizeof(EntryId) + policy::memory_bytes(policy_);
}

// One chunk above the limit lets a new value be written before the older ones are evicted; an
// eighth above the pinned bytes is what chunks that hold them may waste.
void Shard::raise_arena_limit() {
  const std::size_t pinned = arena_->pinned_bytes.load(std::memory_order_relaxed);
  arena_->set_limit(limits_.bytes + chunk_bytes_ + pinned + pinned / 8);
}

std::uint64_t Shard::hash_of(const Entry& entry) const noexcept {
  return base::hash64(entry.key(), seed_);
}

}  // namespace vcache::l1
