#pragma once

#include <xxhash.h>

#include "l2/codec/xxh3.hpp"

// Included by one source file per instruction set, which its compiler options choose. Static, so
// that each keeps its own. Nothing else may be included there: an inline function compiled for a
// newer processor could be linked everywhere.
namespace vcache::l2::codec {

static std::uint64_t hash_whole(const void* data, std::size_t size, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(data, size, seed);
}

static std::uint64_t hash_pieces(const void* first, std::size_t first_size, const void* second,
                                 std::size_t second_size, std::uint64_t seed) noexcept {
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset_withSeed(&state, seed);
  XXH3_64bits_update(&state, first, first_size);
  XXH3_64bits_update(&state, second, second_size);
  return XXH3_64bits_digest(&state);
}

static constexpr Xxh3 kXxh3 = {.whole = hash_whole, .pieces = hash_pieces};

}  // namespace vcache::l2::codec
