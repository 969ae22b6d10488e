#pragma once

#include <string_view>

#include "l1/policy/lru.hpp"

namespace vcache::sim {

// Evicts the entry that came in first: what any use of entries is worth is measured against it.
class Fifo : public l1::policy::Lru {
 public:
  static constexpr std::string_view kName = "fifo";

  void on_hit(l1::policy::EntryId /*id*/) noexcept {}
};

static_assert(l1::policy::EvictionPolicy<Fifo>);

}  // namespace vcache::sim
