#pragma once

#include <cstdint>

namespace vcache::sim {

// A hash of an id that no other id has: SplitMix64's finalizer.
[[nodiscard]] constexpr std::uint64_t spread(std::uint64_t id) noexcept {
  std::uint64_t bits = id + 0x9E3779B97F4A7C15;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
  return bits ^ (bits >> 31);
}

}  // namespace vcache::sim
