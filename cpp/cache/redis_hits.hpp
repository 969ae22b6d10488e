#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace vcache::cache {

// How often keys were hit in Redis lately: a count-min sketch of bytes, four for each key, all in
// one cache line. With each kPeriod additions every count is halved, so that old hits fade and the
// table never fills up: a key is counted n times while it has about n of 2 * kPeriod hits.
// Lock-free; thread-safe; loses no addition.
// Cormode, Muthukrishnan, "An improved data stream summary: the count-min sketch", 2005; ageing:
// Einziger, Friedman, Manes, "TinyLFU", ACM Transactions on Storage, 2017.
class RedisHits {
 public:
  static constexpr std::uint32_t kMost = 255;
  static constexpr std::uint32_t kPeriod = std::uint32_t{1} << 16;

  explicit RedisHits(std::uint64_t seed) : seed_(seed), blocks_(kBlocks) {}

  // Counts one hit of the key; what count() is then.
  std::uint32_t add(std::string_view key) noexcept;
  // Up to kMost; never less than the additions since the last halving.
  [[nodiscard]] std::uint32_t count(std::string_view key) const noexcept;

 private:
  static constexpr std::size_t kRows = 4;
  static constexpr std::size_t kWords = 8;  // of a block: two for each row, of eight counts each
  static constexpr std::size_t kBlocks = std::size_t{1} << 12;  // 256 KiB
  struct alignas(64) Block {
    std::array<std::atomic<std::uint64_t>, kWords> words{};
  };
  // Where a count is inside its block.
  struct Place {
    std::size_t word = 0;
    unsigned shift = 0;
  };

  [[nodiscard]] static std::size_t block_of(std::uint64_t hash) noexcept { return hash % kBlocks; }
  [[nodiscard]] static Place place(std::uint64_t hash, std::size_t row) noexcept;
  static std::uint32_t increment(std::atomic<std::uint64_t>& word, unsigned shift) noexcept;
  void halve() noexcept;

  const std::uint64_t seed_;
  std::vector<Block> blocks_;
  std::atomic<std::uint32_t> additions_{0};  // runs on and wraps
};

}  // namespace vcache::cache
