#pragma once

#include <string_view>

#include "cache/snapshot/restore.hpp"
#include "l1/kept.hpp"

namespace vcache::cache::snapshot {

// An entry of a file, on its way into memory.
struct Arrival {
  std::string_view key;
  base::ValueView value;
  l1::Kept kept;
  const l1::Gate* gate = nullptr;
};

// Has memory take it over, and counts what became of it. Throws std::bad_alloc.
void take_over(TieredCache& cache, const Arrival& arrival, l1::Restoration& restoration,
               Loaded& loaded);

}  // namespace vcache::cache::snapshot
