#pragma once

#include <cstdint>

namespace vcache::base {

// SplitMix64.
[[nodiscard]] inline std::uint64_t next_random(std::uint64_t& state) noexcept {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t bits = state;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
  return bits ^ (bits >> 31);
}

// Of 0 to `end` - 1. Requires: 0 < end < 2^32.
[[nodiscard]] inline std::uint32_t random_below(std::uint64_t& state, std::size_t end) noexcept {
  return static_cast<std::uint32_t>(((next_random(state) >> 32) * end) >> 32);
}

// Of [0, 1).
[[nodiscard]] inline double random_unit(std::uint64_t& state) noexcept {
  return static_cast<double>(next_random(state) >> 11) * 0x1p-53;
}

}  // namespace vcache::base
