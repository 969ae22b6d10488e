#include "l1/shard.hpp"

#include <algorithm>
#include <bit>
#include <utility>

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

}  // namespace

Shard::Shard(ShardLimits limits, policy::AnyPolicy policy, std::uint64_t seed, const TagMarks& tags,
             std::unique_ptr<learning::Steward> steward, Usage* usage)
    : limits_(limits),
      seed_(seed),
      chunk_bytes_(chunk_bytes_for(limits.bytes)),
      tags_(tags),
      steward_(std::move(steward)),
      usage_(usage),
      arena_(new store::Arena(chunk_bytes_)),
      policy_(steward_ == nullptr ? std::move(policy) : policy::AnyPolicy(prepared())) {}

Shard::~Shard() {
  clear();
  arena_->release();
}

Entry* Shard::insert(std::string_view key, const base::ValueView& value,
                     const Publication& publication, std::uint32_t pins) {
  const bool small = value.payload.size() <= kCopyUnderLock;
  if (steward_ != nullptr) {
    prepare(store::Arena::block_bytes(Entry::bytes_for(key, value, usage_ != nullptr)));
  }
  Entry* entry = nullptr;
  {
    const base::SpinLock lock(mutex_);
    prefetch(publication.hash);  // read by publish(), after the copy
    entry = reserve(key, value, publication.hash, pins);
    if (entry == nullptr) {
      drop({.key = key, .hash = publication.hash});
      return nullptr;
    }
    if (small) {
      entry->fill(value.payload);
      return publish(entry, publication);
    }
  }
  entry->fill(value.payload);
  const base::SpinLock lock(mutex_);
  return publish(entry, publication);
}

void Shard::prefetch(std::uint64_t hash) const {
  const EntryId likely = index_.peek(hash);
  if (likely == kNoEntry) return;
  prefetch_header(entries_[likely]);
}

// An entry with all but its payload written; nullptr when the shard declines it.
Entry* Shard::reserve(std::string_view key, const base::ValueView& value, std::uint64_t hash,
                      std::uint32_t pins) {
  const std::size_t bytes = Entry::bytes_for(key, value, usage_ != nullptr);
  const std::size_t block = store::Arena::block_bytes(bytes);
  void* memory = nullptr;
  if (!is_too_large(block)) {
    make_room(block, {.key = key, .hash = hash});
    memory = allocate(bytes);
  }
  if (memory != nullptr) {
    return Entry::create(memory, *arena_, key, value, pins, usage_ != nullptr);
  }
  ++counters_.declined;
  return nullptr;
}

// Where free memory is in pieces too small, entries leave for the value up to twice its size; then
// the arena may grow beyond its share, and only past that must more of them go.
void* Shard::allocate(std::size_t bytes) {
  const std::size_t enough = 2 * store::Arena::block_bytes(bytes);
  std::size_t evicted = 0;
  for (;;) {
    set_arena_limit(evicted < enough ? 0 : limits_.bytes / kFragmentedShare);
    void* memory = arena_->allocate(bytes);
    if (memory != nullptr || policy::size(policy_) == 0) return memory;
    evicted += evict_one();
  }
}

// Frees the entry and returns nullptr where the gate is closed.
Entry* Shard::publish(Entry* entry, const Publication& publication) {
  if (publication.gate != nullptr && !publication.gate->is_open()) {
    arena_->free(entry);
    return nullptr;
  }
  entry->identify(publication.identity);
  shorten(*entry, publication.now);
  try {
    place(entry, publication.hash);
  } catch (...) {
    arena_->free(entry);
    throw;
  }
  sweep(publication.now);
  evict_to_limits();  // the tables may have grown
  return entry;
}

void Shard::place(Entry* entry, std::uint64_t hash) {
  if (entry->group >= counters_.group_hits.size()) {
    counters_.group_hits.resize(entry->group + 1U);
  }
  const Probe probe{.key = entry->key(), .hash = hash};
  make_room(entry->block_bytes(), probe);
  const EntryId held = lookup(probe);
  if (held == kNoEntry) return add(entry, hash);
  policy::on_update(policy_, held, candidate_of(*entry, hash));
  used_bytes_ += entry->block_bytes();
  replace(held, entry);
}

void Shard::add(Entry* entry, std::uint64_t hash) {
  index_.reserve_one();
  const EntryId id = new_id(entry);
  try {
    policy::on_insert(policy_, id, candidate_of(*entry, hash));
  } catch (...) {
    free_id(id);
    throw;
  }
  index_.insert(hash, id);
  used_bytes_ += entry->block_bytes();
}

// Evicts until an entry of `bytes` under the probe's key would be within the limits. Before it is
// there, so that a policy that judges by use does not choose the newcomer.
void Shard::make_room(std::size_t bytes, const Probe& probe) {
  drain_notes();
  if (has_room(bytes)) return;
  if (lookup(probe) == kNoEntry) {
    policy::on_miss(policy_, {.key_hash = probe.hash, .bytes = static_cast<std::uint32_t>(bytes)});
  }
  while (policy::size(policy_) > 0) {
    const EntryId held = lookup(probe);
    const std::size_t replaced = held == kNoEntry ? 0 : entries_[held]->block_bytes();
    const std::size_t entries = index_.size() + (held == kNoEntry ? 1 : 0);
    if (used_bytes_ - replaced + bytes + bookkeeping_bytes() <= limits_.bytes &&
        entries <= limits_.entries) {
      return;
    }
    (void)evict_one();
  }
}

bool Shard::erase(const Probe& probe, std::int64_t now) {
  const base::SpinLock lock(mutex_);
  const bool was_there = lookup_live(probe, now) != kNoEntry;
  drop(probe);
  return was_there;
}

void Shard::drop(const Probe& probe) {
  const EntryId id = lookup(probe);
  if (id == kNoEntry) return;
  drain_notes();
  policy::on_erase(policy_, id);
  remove(id);
}

bool Shard::touch(const Probe& probe, std::int64_t now, std::int64_t expires, std::int64_t latest) {
  const base::SpinLock lock(mutex_);
  const EntryId id = lookup_stale(probe, now);
  if (id == kNoEntry) return false;
  entries_[id]->end_at(expires);
  if (entries_[id]->has_use()) entries_[id]->allow_until(latest);
  shorten(*entries_[id], now);
  return entries_[id]->is_verified();
}

// free_ids_ always has room for every id, so that giving one back cannot fail.
Shard::EntryId Shard::new_id(Entry* entry) {
  if (free_ids_.empty()) {
    if (free_ids_.capacity() <= entries_.size()) free_ids_.reserve(2 * entries_.size() + 1);
    entries_.push_back(entry);
    return static_cast<EntryId>(entries_.size() - 1);
  }
  const EntryId id = free_ids_.back();
  free_ids_.pop_back();
  entries_[id] = entry;
  return id;
}

void Shard::free_id(EntryId id) noexcept {
  entries_[id] = nullptr;
  free_ids_.push_back(id);
}

void Shard::replace(EntryId id, Entry* entry) {
  Entry* older = entries_[id];
  entries_[id] = entry;
  count_use(*older);
  entry->succeed(*older);
  let_go(older);
}

// Takes an entry that the policy no longer holds out of the index.
void Shard::remove(EntryId id) noexcept {
  Entry* entry = entries_[id];
  index_.erase(hash_of(*entry), id);
  free_id(id);
  count_use(*entry);
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

// Bytes of the entry that left.
std::size_t Shard::evict_one() {
  drain_notes();
  const EntryId id = policy::evict(policy_);
  const std::size_t bytes = entries_[id]->block_bytes();
  remove(id);
  ++counters_.evictions;
  return bytes;
}

std::size_t Shard::bookkeeping_bytes() const {
  return index_.memory_bytes() + entries_.size() * sizeof(Entry*) +
         free_ids_.size() * sizeof(EntryId) + policy::memory_bytes(policy_) + steward_bytes_;
}

// One chunk above the limit lets a new value be written before the older ones are evicted; an
// eighth above the pinned bytes is what chunks that hold them may waste.
void Shard::set_arena_limit(std::size_t extra) {
  const std::size_t pinned = arena_->pinned_bytes.load(std::memory_order_relaxed);
  arena_->set_limit(limits_.bytes + chunk_bytes_ + pinned + pinned / 8 + extra);
}

std::uint64_t Shard::hash_of(const Entry& entry) const noexcept {
  return base::hash64(entry.key(), seed_);
}

}  // namespace vcache::l1
