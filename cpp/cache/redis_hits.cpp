#include "cache/redis_hits.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace vcache::cache {

namespace {

constexpr unsigned kPlaceBits = 32;  // of a hash, from here on; the block's below
constexpr std::uint64_t kHalfMask = 0x7F7F7F7F7F7F7F7F;  // what a shift may leave in each count

}  // namespace

std::uint32_t RedisHits::add(std::string_view key) noexcept {
  const std::uint64_t hash = base::hash64(key, seed_);
  auto& words = blocks_[block_of(hash)].words;
  std::uint32_t lowest = kMost;
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto [word, shift] = place(hash, row);
    lowest = std::min(lowest, increment(words[word], shift));
  }
  if ((additions_.fetch_add(1, std::memory_order_relaxed) + 1) % kPeriod == 0) halve();
  return lowest;
}

std::uint32_t RedisHits::count(std::string_view key) const noexcept {
  const std::uint64_t hash = base::hash64(key, seed_);
  const auto& words = blocks_[block_of(hash)].words;
  std::uint32_t lowest = kMost;
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto [word, shift] = place(hash, row);
    const std::uint64_t counts = words[word].load(std::memory_order_relaxed);
    lowest = std::min(lowest, static_cast<std::uint32_t>(counts >> shift & kMost));
  }
  return lowest;
}

// Four bits of the hash name one of the 16 counts of a row.
RedisHits::Place RedisHits::place(std::uint64_t hash, std::size_t row) noexcept {
  const auto bits = static_cast<unsigned>(hash >> (kPlaceBits + 4 * row) & 15);
  return {.word = 2 * row + (bits & 1), .shift = (bits >> 1) * 8};
}

std::uint32_t RedisHits::increment(std::atomic<std::uint64_t>& word, unsigned shift) noexcept {
  std::uint64_t counts = word.load(std::memory_order_relaxed);
  while ((counts >> shift & kMost) != kMost) {
    const std::uint64_t more = counts + (std::uint64_t{1} << shift);
    if (word.compare_exchange_weak(counts, more, std::memory_order_relaxed)) {
      return static_cast<std::uint32_t>(more >> shift & kMost);
    }
  }
  return kMost;
}

// A word without counts is only read.
void RedisHits::halve() noexcept {
  for (Block& block : blocks_) {
    for (std::atomic<std::uint64_t>& word : block.words) {
      std::uint64_t counts = word.load(std::memory_order_relaxed);
      while (counts != 0 && !word.compare_exchange_weak(counts, counts >> 1 & kHalfMask,
                                                        std::memory_order_relaxed)) {
      }
    }
  }
}

}  // namespace vcache::cache
