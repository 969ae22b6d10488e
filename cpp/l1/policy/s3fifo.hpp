#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/page_allocator.hpp"
#include "l1/policy/ghost.hpp"
#include "l1/policy/id_list.hpp"
#include "l1/policy/policy.hpp"
#include "l1/policy/standing.hpp"

namespace vcache::l1::policy {

// S3-FIFO: newcomers pass through a small queue (a tenth of the bytes), from which only those used
// at least twice reach the main queue; the others leave and become ghosts, and who returns while a
// ghost goes straight to the main queue. The main queue gives an entry another round for each use
// it counted, at most three. About 17 bytes an entry, and 12 to 24 a ghost.
// Yang, Zhang, Qiu, Yue, Rashmi, "FIFO Queues are All You Need for Cache Eviction", SOSP 2023.
// Differs from the paper: the queues share what is held, not a fixed capacity, so the ghosts number
// nine tenths of the entries held; an update counts as a use.
class S3Fifo {
 public:
  static constexpr std::string_view kName = "s3fifo";

  void on_insert(EntryId id, const Candidate& candidate);
  void on_update(EntryId id, const Candidate& candidate) noexcept;
  void on_hit(EntryId id) noexcept {
    std::uint8_t& state = states_[id];
    if ((state & kUses) != kUses) ++state;
  }
  void on_erase(EntryId id) noexcept { queue_of(id).remove(nodes_, id); }
  [[nodiscard]] EntryId evict();
  [[nodiscard]] Standing standing(EntryId id) const noexcept;
  void on_restore(EntryId id, const Candidate& candidate, const Standing& standing);

  [[nodiscard]] std::size_t size() const noexcept { return small_.size() + main_.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return small_.bytes() + main_.bytes(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return occupied(nodes_) + occupied(states_) + ghost_.memory_bytes();
  }

 private:
  struct Entry : Node {
    std::uint32_t fingerprint = 0;
  };

  static constexpr std::uint8_t kUses = 3;    // bits of a state that count uses, up to three
  static constexpr std::uint8_t kInMain = 4;  // bit of a state

  [[nodiscard]] Queue& queue_of(EntryId id) noexcept {
    return (states_[id] & kInMain) != 0 ? main_ : small_;
  }
  [[nodiscard]] bool small_over_share() const noexcept;
  [[nodiscard]] EntryId evict_small();
  [[nodiscard]] EntryId evict_main() noexcept;

  base::Table<Entry> nodes_;
  base::Table<std::uint8_t> states_;  // apart from the nodes: all that a hit touches
  Queue small_;                       // newest first
  Queue main_;
  Ghost ghost_;
};

static_assert(EvictionPolicy<S3Fifo>);

}  // namespace vcache::l1::policy
