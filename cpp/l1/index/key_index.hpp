#pragma once

#include <cstddef>
#include <cstdint>

#include "base/page_allocator.hpp"
#include "l1/policy/policy.hpp"

namespace vcache::l1::index {

using policy::EntryId;

// Maps the hash of a key to an entry id: open addressing with linear probing and backward-shift
// deletion, 8 bytes a slot, at most 4/5 full. Ids with equal hashes are told apart by the caller.
// Not thread-safe.
class KeyIndex {
 public:
  KeyIndex() : slots_(kMinSlots) {}

  // First id under `hash` for which same(id) holds; kNoEntry when there is none.
  template <class Same>
  [[nodiscard]] EntryId find(std::uint64_t hash, Same&& same) const {
    const std::uint32_t tag = tag_of(hash);
    for (std::size_t i = home(tag); slots_[i].id != policy::kNoEntry; i = next(i)) {
      if (slots_[i].tag == tag && same(slots_[i].id)) return slots_[i].id;
    }
    return policy::kNoEntry;
  }

  // The first id under `hash`, its key not compared.
  [[nodiscard]] EntryId peek(std::uint64_t hash) const noexcept {
    return find(hash, [](EntryId) { return true; });
  }

  void prefetch(std::uint64_t hash) const noexcept {
    __builtin_prefetch(&slots_[home(tag_of(hash))]);
  }

  // Grows where the next insert() needs it to.
  void reserve_one() {
    if ((size_ + 1) * 5 > slots_.size() * 4) grow();
  }

  // Requires: `id` is not held. Throws nothing after reserve_one().
  void insert(std::uint64_t hash, EntryId id) {
    reserve_one();
    place({.tag = tag_of(hash), .id = id});
    ++size_;
  }

  // Requires: `id` is held under `hash`.
  void erase(std::uint64_t hash, EntryId id) noexcept {
    std::size_t hole = home(tag_of(hash));
    while (slots_[hole].id != id) hole = next(hole);
    for (std::size_t i = next(hole); slots_[i].id != policy::kNoEntry; i = next(i)) {
      if (distance(home(slots_[i].tag), i) < distance(hole, i)) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = Slot{};
    --size_;
  }

  void clear() {
    slots_.assign(kMinSlots, Slot{});
    slots_.shrink_to_fit();
    size_ = 0;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    EntryId id = policy::kNoEntry;
  };
  using Slots = base::Table<Slot>;
  static constexpr std::size_t kMinSlots = 16;

  [[nodiscard]] static std::uint32_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash);
  }
  [[nodiscard]] std::size_t home(std::uint32_t tag) const noexcept {
    return tag & (slots_.size() - 1);
  }
  [[nodiscard]] std::size_t next(std::size_t i) const noexcept {
    return (i + 1) & (slots_.size() - 1);
  }
  [[nodiscard]] std::size_t distance(std::size_t from, std::size_t to) const noexcept {
    return (to - from) & (slots_.size() - 1);
  }
  void place(Slot slot) noexcept {
    std::size_t i = home(slot.tag);
    while (slots_[i].id != policy::kNoEntry) i = next(i);
    slots_[i] = slot;
  }
  void grow() {
    Slots old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.id != policy::kNoEntry) place(slot);
    }
  }

  Slots slots_;
  std::size_t size_ = 0;
};

}  // namespace vcache::l1::index
