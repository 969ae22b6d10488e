#pragma once

#include <algorithm>

#include "bindings/core.hpp"
#include "l1/entry.hpp"

namespace vcache::bindings {

// Seconds until an entry expires, or None; 0 for one in its grace.
[[nodiscard]] inline py::object seconds_left(Core& core, const l1::Entry& entry) {
  const std::int64_t expires = entry.ends();
  if (expires == l1::kNever) return py::none();
  const std::int64_t now = core.cache.memory().now();
  return py::float_(static_cast<double>(std::max<std::int64_t>(expires - now, 0)) * 1e-9);
}

[[nodiscard]] inline double age_of(Core& core, const l1::Entry& entry) {
  const std::int64_t now = core.cache.memory().now();
  return static_cast<double>(now - entry.created) * 1e-9;
}

[[nodiscard]] inline const char* name_of(cache::Tier tier) noexcept {
  return tier == cache::Tier::kMemory ? "memory" : "redis";
}

}  // namespace vcache::bindings
