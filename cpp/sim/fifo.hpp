#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "l1/policy/lru.hpp"
#include "l1/policy/policy.hpp"

namespace vcache::sim {

// Evicts the entry that came in first: what any heed to uses is worth is measured against it.
class Fifo {
 public:
  using EntryId = l1::policy::EntryId;
  using Candidate = l1::policy::Candidate;
  static constexpr std::string_view kName = "fifo";

  void on_insert(EntryId id, const Candidate& candidate) { unused_.on_insert(id, candidate); }
  void on_update(EntryId id, const Candidate& candidate) noexcept {
    unused_.on_update(id, candidate);
  }
  void on_hit(EntryId /*id*/) noexcept {}
  void on_erase(EntryId id) noexcept { unused_.on_erase(id); }
  [[nodiscard]] EntryId evict() noexcept { return unused_.evict(); }

  [[nodiscard]] std::size_t size() const noexcept { return unused_.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return unused_.bytes(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return unused_.memory_bytes(); }

 private:
  l1::policy::Lru unused_;  // is told of no hit, so that its order is that of insertion
};

static_assert(l1::policy::EvictionPolicy<Fifo>);

}  // namespace vcache::sim
