#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/page_allocator.hpp"
#include "l1/policy/indexed_heap.hpp"
#include "l1/policy/policy.hpp"
#include "l1/policy/standing.hpp"

namespace vcache::l1::policy {

// GreedyDual-Size-Frequency: evicts the entry of the lowest priority, which is
//   age + uses * cost / bytes
// with the age at its last use; the age is the priority of the entry that was evicted last. Where
// costs are unknown, small and often used entries stay.
// Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy",
// HP Labs HPL-98-69R1, 1998. Differs from the paper: a cost of 0 (unknown) counts as 1; among
// equals the least recently used leaves; an update counts as a use. 40 bytes an entry; a use takes
// time in proportion to the logarithm of their number.
class Gdsf {
 public:
  static constexpr std::string_view kName = "gdsf";

  void on_insert(EntryId id, const Candidate& candidate);
  void on_update(EntryId id, const Candidate& candidate) noexcept;
  void on_hit(EntryId id) noexcept;
  void on_erase(EntryId id) noexcept;
  [[nodiscard]] EntryId evict() noexcept;
  [[nodiscard]] Standing standing(EntryId id) const noexcept;
  void on_restore(EntryId id, const Candidate& candidate, const Standing& standing);

  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return occupied(entries_) + heap_.memory_bytes();
  }

 private:
  struct Entry {
    std::uint32_t bytes = 0;
    std::uint32_t uses = 0;
    float cost = 1;
  };
  static constexpr std::uint64_t kFirstUse = std::uint64_t{1} << 32;

  struct Rank {
    double priority;
    std::uint64_t used;  // number of the last use
    auto operator<=>(const Rank&) const = default;
  };

  [[nodiscard]] static float cost_of(const Candidate& candidate) noexcept;
  [[nodiscard]] Rank next_rank(const Entry& entry) noexcept;

  base::Table<Entry> entries_;
  IndexedHeap<Rank> heap_;
  double age_ = 0;
  std::uint64_t uses_ = kFirstUse;
  std::uint64_t restored_ = kFirstUse;  // of what was restored last
  std::uint64_t bytes_ = 0;
};

static_assert(EvictionPolicy<Gdsf>);

}  // namespace vcache::l1::policy
