#pragma once

#include <cstdint>

namespace vcache::l1::policy {

// Half the bits of a key hash, never 0. Each depends on bits all over `key_hash`: the owner has
// used some of them to choose the shard.
[[nodiscard]] constexpr std::uint32_t fingerprint(std::uint64_t key_hash) noexcept {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
  const std::uint64_t mixed = (key_hash ^ (key_hash >> 32)) * kOdd;
  const auto half = static_cast<std::uint32_t>(mixed >> 32);
  return half == 0 ? 1 : half;
}

}  // namespace vcache::l1::policy
