#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/page_allocator.hpp"

namespace vcache::l1::policy {

// How often fingerprints were seen lately: a count-min sketch of 4-bit counters, four for each
// fingerprint, all in one cache line. After ten times as many additions as it has words, every
// counter is halved. 8 bytes an entry, as a power of two.
// Cormode, Muthukrishnan, "An improved data stream summary: the count-min sketch", 2005; ageing:
// Einziger, Friedman, Manes, "TinyLFU", ACM Transactions on Storage, 2017, without its doorkeeper.
class FrequencySketch {
 public:
  static constexpr std::uint32_t kHighest = 15;

  FrequencySketch();

  // Makes room for `entries`. What was counted stays: the table is doubled by repeating it.
  void reach(std::size_t entries);
  void add(std::uint32_t fingerprint) noexcept;
  // Up to kHighest; never less than the additions since the last halving.
  [[nodiscard]] std::uint32_t estimate(std::uint32_t fingerprint) const noexcept;
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  static constexpr std::size_t kRows = 4;
  static constexpr std::size_t kWords = 8;  // of a block: two for each row
  struct alignas(64) Block {
    std::array<std::uint64_t, kWords> words{};
  };
  struct Counter {
    std::size_t word = 0;
    unsigned shift = 0;
  };

  [[nodiscard]] static Counter counter(std::uint32_t spread, std::size_t row) noexcept;
  [[nodiscard]] std::size_t block(std::uint32_t fingerprint) const noexcept;
  void halve() noexcept;

  base::Table<Block> blocks_;  // a power of two
  std::size_t additions_ = 0;
};

}  // namespace vcache::l1::policy
