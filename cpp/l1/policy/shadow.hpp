#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/page_allocator.hpp"
#include "l1/index/key_index.hpp"
#include "l1/policy/id_list.hpp"
#include "l1/policy/policy.hpp"

namespace vcache::l1::policy {

// A cache of metadata only: what a cache of `capacity` bytes under the policy would hold, were each
// miss followed by an insertion. Keys are known by their hash alone. Not thread-safe.
template <EvictionPolicy P>
class Shadow {
 public:
  Shadow(P policy, std::uint64_t capacity) : policy_(std::move(policy)), capacity_(capacity) {}

  // Whether the key was held; if not it is from now on, unless it is larger than the capacity.
  // A held entry keeps the bytes and cost with which it came. evicted(key_hash) is told of
  // each entry that leaves, before the newcomer is there.
  // Throws std::bad_alloc, having changed nothing but what was evicted.
  template <class Evicted>
  bool access(const Candidate& candidate, Evicted&& evicted) {
    const EntryId id = find(candidate.key_hash);
    if (id != kNoEntry) {
      policy_.on_hit(id);
      return true;
    }
    if (candidate.bytes <= capacity_) insert(candidate, evicted);
    return false;
  }
  bool access(const Candidate& candidate) {
    return access(candidate, [](std::uint64_t) {});
  }

  // Whether the key was held: then its entry got this value. Evicts others, or itself, where that
  // is larger.
  template <class Evicted>
  bool update(const Candidate& candidate, Evicted&& evicted) {
    const EntryId id = find(candidate.key_hash);
    if (id == kNoEntry) return false;
    policy_.on_update(id, candidate);
    make_room(0, evicted);
    return true;
  }

  // Whether it was held; nothing is remembered of it.
  bool erase(std::uint64_t key_hash) noexcept {
    const EntryId id = find(key_hash);
    if (id == kNoEntry) return false;
    policy_.on_erase(id);
    forget(id);
    return true;
  }

  // Evicts what is beyond it.
  template <class Evicted>
  void set_capacity(std::uint64_t capacity, Evicted&& evicted) {
    capacity_ = capacity;
    make_room(0, evicted);
  }

  [[nodiscard]] bool holds(std::uint64_t key_hash) const noexcept {
    return find(key_hash) != kNoEntry;
  }
  // kNoEntry where it is not held.
  [[nodiscard]] EntryId id_of(std::uint64_t key_hash) const noexcept { return find(key_hash); }
  // Two steps ahead of access(): first the slot of the index, then the entry that it names.
  void prefetch_slot(std::uint64_t key_hash) const noexcept { index_.prefetch(key_hash); }
  void prefetch_entry(std::uint64_t key_hash) const noexcept {
    const EntryId id = index_.peek(key_hash);
    if (id == kNoEntry) return;
    __builtin_prefetch(&hashes_[id]);
    if constexpr (requires { policy_.prefetch(id); }) policy_.prefetch(id);
  }

  [[nodiscard]] std::size_t size() const noexcept { return policy_.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return policy_.bytes(); }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] const P& policy() const noexcept { return policy_; }
  // For calls that are not of EvictionPolicy.
  [[nodiscard]] P& policy() noexcept { return policy_; }
  // 18 to 28 bytes an entry beside the policy's.
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return policy_.memory_bytes() + index_.memory_bytes() + occupied(hashes_) +
           free_.capacity() * sizeof(EntryId);
  }

 private:
  [[nodiscard]] EntryId find(std::uint64_t key_hash) const noexcept {
    return index_.find(key_hash, [&](EntryId id) { return hashes_[id] == key_hash; });
  }

  template <class Evicted>
  void insert(const Candidate& candidate, Evicted& evicted) {
    if (policy_.bytes() + candidate.bytes > capacity_) {
      tell_miss(policy_, candidate);
      make_room(candidate.bytes, evicted);
    }
    index_.reserve_one();
    reserve_id();
    const EntryId id = free_.back();
    policy_.on_insert(id, candidate);
    free_.pop_back();
    hashes_[id] = candidate.key_hash;
    index_.insert(candidate.key_hash, id);
  }

  template <class Evicted>
  void make_room(std::uint64_t bytes, Evicted& evicted) {
    while (policy_.size() > 0 && policy_.bytes() + bytes > capacity_) {
      const EntryId id = policy_.evict();
      const std::uint64_t key_hash = hashes_[id];
      forget(id);
      evicted(key_hash);
    }
  }

  // After this there is a free id, and room to give every id back.
  void reserve_id() {
    if (!free_.empty()) return;
    const auto id = static_cast<EntryId>(hashes_.size());
    if (free_.capacity() <= id) free_.reserve(2 * std::size_t{id} + 1);
    reach(hashes_, id);
    free_.push_back(id);
  }
  void forget(EntryId id) noexcept {
    index_.erase(hashes_[id], id);
    free_.push_back(id);
  }

  P policy_;
  std::uint64_t capacity_;
  index::KeyIndex index_;
  base::Table<std::uint64_t> hashes_;  // by id
  base::Table<EntryId> free_;
};

}  // namespace vcache::l1::policy
