#pragma once

#include "cache/counters.hpp"
#include "l1/entry.hpp"

namespace vcache::cache {

// A value found, pinned; empty on a miss.
struct Located {
  l1::EntryRef entry;
  Tier tier = Tier::kNone;
};

}  // namespace vcache::cache
