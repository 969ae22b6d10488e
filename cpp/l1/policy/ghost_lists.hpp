#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/page_allocator.hpp"
#include "l1/index/key_index.hpp"
#include "l1/policy/id_list.hpp"
#include "l1/policy/policy.hpp"

namespace vcache::l1::policy {

// Remembers evicted entries by fingerprint, with the bytes they occupied, in two lists, each in the
// order in which they came. Distinct keys may share a fingerprint, once in about four billion
// pairs. 17 bytes a ghost and 10 to 20 of index.
class GhostLists {
 public:
  enum class List : std::uint8_t { kFirst, kSecond };

  // Moves one that is remembered already to the new end of `list`. Throws std::bad_alloc, having
  // changed nothing.
  void add(List list, std::uint32_t fingerprint, std::uint32_t bytes);
  [[nodiscard]] std::optional<List> find(std::uint32_t fingerprint) const noexcept;
  // Whether it was remembered; it no longer is.
  bool remove(std::uint32_t fingerprint) noexcept;
  // Requires: size(list) > 0.
  void forget_oldest(List list) noexcept { remove(ghosts_[queue(list).back()].fingerprint); }

  [[nodiscard]] std::size_t size(List list) const noexcept { return queue(list).size(); }
  [[nodiscard]] std::size_t size() const noexcept { return queues_[0].size() + queues_[1].size(); }
  [[nodiscard]] std::uint64_t bytes(List list) const noexcept { return queue(list).bytes(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    return queues_[0].bytes() + queues_[1].bytes();
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return occupied(ghosts_) + occupied(lists_) + index_.memory_bytes();
  }

 private:
  using GhostId = EntryId;
  struct Ghost : Node {
    std::uint32_t fingerprint = 0;
  };

  [[nodiscard]] Queue& queue(List list) noexcept { return queues_[static_cast<std::size_t>(list)]; }
  [[nodiscard]] const Queue& queue(List list) const noexcept {
    return queues_[static_cast<std::size_t>(list)];
  }
  void reserve_one();

  base::Table<Ghost> ghosts_;
  base::Table<List> lists_;      // by ghost
  std::array<Queue, 2> queues_;  // by List; newest first
  GhostId free_ = kNoEntry;      // unused ghosts are linked by next
  index::KeyIndex index_;        // by fingerprint
};

}  // namespace vcache::l1::policy
