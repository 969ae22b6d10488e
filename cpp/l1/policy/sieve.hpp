#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/page_allocator.hpp"
#include "l1/policy/id_list.hpp"
#include "l1/policy/policy.hpp"
#include "l1/policy/standing.hpp"

namespace vcache::l1::policy {

// SIEVE: a FIFO queue and a hand that walks from its old end to its new end, clears the mark of
// every visited entry it passes and evicts the first without one. 13 bytes an entry.
// Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is Simpler than LRU", NSDI 2024.
// Differs from the paper: an update marks the entry as a hit does; when the entry under the hand
// is erased, the hand steps on.
class Sieve {
 public:
  static constexpr std::string_view kName = "sieve";

  void on_insert(EntryId id, const Candidate& candidate);
  void on_update(EntryId id, const Candidate& candidate) noexcept;
  void on_hit(EntryId id) noexcept { visited_[id] = 1; }
  void on_erase(EntryId id) noexcept;
  [[nodiscard]] EntryId evict() noexcept;
  [[nodiscard]] Standing standing(EntryId id) const noexcept;
  void on_restore(EntryId id, const Candidate& candidate, const Standing& standing);

  [[nodiscard]] std::size_t size() const noexcept { return queue_.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return queue_.bytes(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return occupied(nodes_) + occupied(visited_);
  }

 private:
  [[nodiscard]] EntryId step(EntryId id) const noexcept;

  base::Table<Node> nodes_;
  base::Table<std::uint8_t> visited_;
  Queue queue_;              // newest first
  EntryId hand_ = kNoEntry;  // none: at the old end
};

static_assert(EvictionPolicy<Sieve>);

}  // namespace vcache::l1::policy
