#pragma once

#include <cstdint>

#include "cache/counters.hpp"
#include "l1/entry.hpp"

namespace vcache::cache {

// Which expired entries, within their grace, a look-up may return.
enum class Stale : std::uint8_t {
  kNever,
  kUnanswered,  // those in memory whose key Redis gives no answer for
  kAny,
};

// A value found, pinned; empty on a miss.
struct Located {
  l1::EntryRef entry;
  Tier tier = Tier::kNone;
  bool stale = false;
};

}  // namespace vcache::cache
