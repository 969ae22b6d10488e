#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/page_allocator.hpp"
#include "l1/policy/ghost_lists.hpp"
#include "l1/policy/id_list.hpp"
#include "l1/policy/policy.hpp"
#include "l1/policy/standing.hpp"

namespace vcache::l1::policy {

// ARC: what was used once and what was used again are two LRU lists, and the ghosts of each a third
// and fourth. A newcomer that is a ghost of the first list moves the target size of that list up,
// one of the second moves it down; the list that is over its target loses its oldest entry.
// Megiddo, Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003. Differs from the
// paper: sizes are bytes, and the target moves by the newcomer's; the capacity is what is held when
// room is made; an update counts as a use. 17 bytes an entry and 27 to 37 a ghost, of which there
// are as many as entries.
class Arc {
 public:
  static constexpr std::string_view kName = "arc";

  void on_miss(const Candidate& candidate) noexcept;
  void on_insert(EntryId id, const Candidate& candidate);
  void on_update(EntryId id, const Candidate& candidate) noexcept;
  void on_hit(EntryId id) noexcept;
  void on_erase(EntryId id) noexcept { queue_of(id).remove(nodes_, id); }
  [[nodiscard]] EntryId evict();
  [[nodiscard]] Standing standing(EntryId id) const noexcept;
  void on_restore(EntryId id, const Candidate& candidate, const Standing& standing);

  [[nodiscard]] std::size_t size() const noexcept { return once_.size() + again_.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return once_.bytes() + again_.bytes(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return occupied(nodes_) + occupied(used_again_) + ghosts_.memory_bytes();
  }

 private:
  using List = GhostLists::List;
  static constexpr List kOnce = List::kFirst;
  static constexpr List kAgain = List::kSecond;

  struct Entry : Node {
    std::uint32_t fingerprint = 0;
  };
  // The newcomer for which room is made.
  struct Arrival {
    std::uint32_t fingerprint = 0;  // 0: there is none
    std::uint32_t bytes = 0;
    std::optional<List> ghost{};  // the list in which it is one
  };

  [[nodiscard]] Queue& queue_of(EntryId id) noexcept {
    return used_again_[id] != 0 ? again_ : once_;
  }
  void adapt(List ghost, std::uint32_t bytes) noexcept;
  [[nodiscard]] EntryId replace();
  void limit_ghosts() noexcept;

  base::Table<Entry> nodes_;
  base::Table<std::uint8_t> used_again_;
  Queue once_;  // most recent first
  Queue again_;
  GhostLists ghosts_;
  double target_ = 0;           // bytes of once_
  std::uint64_t capacity_ = 0;  // bytes held when the newcomer came
  Arrival arriving_;
};

static_assert(EvictionPolicy<Arc>);

}  // namespace vcache::l1::policy
