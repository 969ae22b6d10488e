#include "l1/policy/frequency_sketch.hpp"

#include <algorithm>
#include <bit>

namespace vcache::l1::policy {

namespace {

constexpr std::size_t kFewestBlocks = 8;
constexpr std::size_t kSamplesPerWord = 10;
constexpr std::uint64_t kLowBits = 0x1111111111111111;   // of each counter
constexpr std::uint64_t kHalfMask = 0x7777777777777777;  // what a shift may leave in each counter

// Bits that choose the counters inside a block; independent of those that choose the block.
std::uint32_t spread(std::uint32_t fingerprint) noexcept {
  const std::uint64_t mixed = std::uint64_t{fingerprint} * 0xD6E8FEB86659FD93;
  return static_cast<std::uint32_t>(mixed >> 32);
}

}  // namespace

FrequencySketch::FrequencySketch() : blocks_(kFewestBlocks) {}

void FrequencySketch::reach(std::size_t entries) {
  while (blocks_.size() * kWords < entries) {
    const std::size_t half = blocks_.size();
    blocks_.resize(2 * half);
    std::copy_n(blocks_.begin(), half, blocks_.begin() + static_cast<std::ptrdiff_t>(half));
    additions_ *= 2;
  }
}

void FrequencySketch::add(std::uint32_t fingerprint) noexcept {
  auto& words = blocks_[block(fingerprint)].words;
  const std::uint32_t bits = spread(fingerprint);
  std::uint64_t added = 0;
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto [word, shift] = counter(bits, row);
    const std::uint64_t below = (words[word] >> shift & kHighest) != kHighest ? 1 : 0;
    words[word] += below << shift;
    added |= below;
  }
  additions_ += added;
  if (additions_ >= kSamplesPerWord * kWords * blocks_.size()) halve();
}

std::uint32_t FrequencySketch::estimate(std::uint32_t fingerprint) const noexcept {
  const auto& words = blocks_[block(fingerprint)].words;
  const std::uint32_t bits = spread(fingerprint);
  std::uint64_t lowest = kHighest;
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto [word, shift] = counter(bits, row);
    lowest = std::min(lowest, words[word] >> shift & kHighest);
  }
  return static_cast<std::uint32_t>(lowest);
}

std::size_t FrequencySketch::memory_bytes() const noexcept {
  return blocks_.size() * sizeof(Block);
}

// Five bits of `spread` name one of the 32 counters of a row.
FrequencySketch::Counter FrequencySketch::counter(std::uint32_t spread, std::size_t row) noexcept {
  const std::uint32_t bits = spread >> (row * 5);
  return {.word = 2 * row + (bits & 1), .shift = (bits >> 1 & 15) * 4};
}

std::size_t FrequencySketch::block(std::uint32_t fingerprint) const noexcept {
  return fingerprint & (blocks_.size() - 1);
}

// Halving loses the odd ones: half a count each, four counters an addition.
void FrequencySketch::halve() noexcept {
  std::size_t odd = 0;
  for (Block& block : blocks_) {
    for (std::uint64_t& word : block.words) {
      odd += static_cast<std::size_t>(std::popcount(word & kLowBits));
      word = word >> 1 & kHalfMask;
    }
  }
  additions_ = (additions_ - std::min(additions_, odd / kRows)) / 2;
}

}  // namespace vcache::l1::policy
