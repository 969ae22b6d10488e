#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vcache::predictor {

// Time is a count of accesses that wraps; only differences mean anything.
using AccessTime = std::uint32_t;

// A gap between two accesses, as eighths of its binary logarithm, plus one; 0: there was none.
using LogGap = std::uint8_t;

// The accesses to a key as far as they are remembered, of a key that is cached or was.
struct KeyPast {
  AccessTime first = 0;
  AccessTime last = 0;
  std::array<LogGap, 4> gaps = {};  // the latest first
  std::uint16_t accesses = 0;       // saturates
};

// How an entry fared in the cache that holds it.
struct Residence {
  AccessTime since = 0;
  std::uint16_t hits = 0;  // saturates
};

// All that a model may know of an entry when it is judged. What is unknown is 0.
struct Snapshot {
  KeyPast past = {};
  Residence residence = {};
  AccessTime now = 0;
  float log2_residence = 0;    // of the mean time that an entry stays, in accesses
  float group_reuse = 0;       // hits in the key group's accesses, less the cache's
  float log2_size = 0;         // of the entry's bytes over the mean
  float log2_cost = 0;         // of a miss, over the mean
  std::uint8_t estimate = 0;   // of the key's frequency, by a sketch whose memory is longer
  bool is_from_redis = false;  // promoted, not computed here
};

// Inputs of a model. All times are relative to the mean residence, so that one model fits caches of
// all sizes (LRB, NSDI 2020, has absolute ones and a model for each).
inline constexpr std::size_t kInputs = 17;
using Inputs = std::span<float, kInputs>;

// What live scoring, training and simulation make of a snapshot, to the byte.
void write_features(const Snapshot& snapshot, Inputs out) noexcept;

// Outputs of a model: P(next access within the horizon), horizons in mean residences; the last is
// an hour.
inline constexpr std::array<float, 4> kHorizons = {0.125F, 0.5F, 2.0F, 8.0F};
inline constexpr std::size_t kHeads = kHorizons.size() + 1;

// Binary logarithm, up to 0.01 off. Requires: x > 0.
[[nodiscard]] inline float log2_of(std::uint32_t x) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(x));
  const auto exponent = static_cast<float>(static_cast<int>(bits >> 23) - 127);
  const auto mantissa = std::bit_cast<float>((bits & 0x7FFFFF) | 0x3F800000);
  return exponent + mantissa * (2.0F - mantissa / 3.0F) - 5.0F / 3.0F;
}

[[nodiscard]] LogGap log_gap(std::uint32_t gap) noexcept;

// Notes an access. Requires: not the first, which KeyPast{now, now, 1} is.
void note_access(KeyPast& past, AccessTime now) noexcept;

}  // namespace vcache::predictor
