#pragma once

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL  // the short inputs of a look-up are hashed without a call
#endif
#include <xxhash.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace vcache::base {

// XXH3-64 with a seed. Tables use a per-process random seed against crafted collisions.
[[nodiscard]] inline std::uint64_t hash64(std::string_view data, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(data.data(), data.size(), seed);
}

// 128-bit digest in canonical (big-endian) byte order.
using Digest128 = std::array<std::uint8_t, 16>;

[[nodiscard]] inline Digest128 digest128(std::span<const std::byte> data) noexcept {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(data.data(), data.size()));
  Digest128 out;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = canonical.digest[i];
  return out;
}

}  // namespace vcache::base
