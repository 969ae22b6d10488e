#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/page_allocator.hpp"
#include "l1/policy/id_list.hpp"
#include "l1/policy/policy.hpp"
#include "l1/policy/standing.hpp"

namespace vcache::l1::policy {

// Evicts the entry that was used least recently. 12 bytes an entry.
class Lru {
 public:
  static constexpr std::string_view kName = "lru";

  void on_insert(EntryId id, const Candidate& candidate);
  void on_update(EntryId id, const Candidate& candidate) noexcept;
  void on_hit(EntryId id) noexcept { queue_.move_to_front(nodes_, id); }
  void on_erase(EntryId id) noexcept { queue_.remove(nodes_, id); }
  [[nodiscard]] EntryId evict() noexcept { return queue_.pop_back(nodes_); }
  [[nodiscard]] Standing standing(EntryId id) const noexcept;
  void on_restore(EntryId id, const Candidate& candidate, const Standing& standing);

  [[nodiscard]] std::size_t size() const noexcept { return queue_.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return queue_.bytes(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return occupied(nodes_); }

 private:
  base::Table<Node> nodes_;
  Queue queue_;  // most recent first
};

static_assert(EvictionPolicy<Lru>);

}  // namespace vcache::l1::policy
