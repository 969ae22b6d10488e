#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.hpp"
#include "cache/options.hpp"

namespace vcache::cache {

// How long an entry stays in memory: the shorter of both, since memory never outlives Redis.
[[nodiscard]] base::Nanos in_memory(const Lifetimes& lifetimes) noexcept;
// As Redis takes it; 0: no expiry.
[[nodiscard]] base::Millis to_redis(const Ttl& ttl) noexcept;
// As Redis takes it.
[[nodiscard]] base::Millis grace_of(const CacheOptions& options) noexcept;

// How long an entry may stay there in the end, as l1::L1Cache takes it.
[[nodiscard]] base::Nanos longest_in_memory(const Lifetimes& lifetimes) noexcept;
// `lifetimes`, those that the cache may choose by `reads` of the key.
[[nodiscard]] Lifetimes chosen(const Lifetimes& lifetimes, const AdaptiveTtl& adaptive,
                               std::uint32_t reads) noexcept;

// Spreads the ends of entries that are written together. Thread-safe.
class Jitter {
 public:
  // Lifetimes are shortened by up to `share`.
  Jitter(double share, std::uint64_t seed) noexcept : share_(share), state_(seed) {}

  // Both shortened by the same random share.
  [[nodiscard]] Lifetimes operator()(const Lifetimes& lifetimes) noexcept;

 private:
  const double share_;
  std::atomic<std::uint64_t> state_;
};

}  // namespace vcache::cache
