#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace vcache::l1 {

// How long entries stay in memory, by the reads of their key within a day.
struct TtlByUse {
  base::Nanos ttl = std::chrono::seconds(45);
  base::Nanos hot_ttl = std::chrono::seconds(120);  // over `hot_hits` reads
  base::Nanos cold_ttl = std::chrono::seconds(20);  // under `cold_hits` reads
  std::uint32_t hot_hits = 50;
  std::uint32_t cold_hits = 5;

  [[nodiscard]] base::Nanos of(std::uint32_t reads) const noexcept {
    if (reads > hot_hits) return hot_ttl;
    return reads < cold_hits ? cold_ttl : ttl;
  }
  // Whether it says another thing of so many reads than of one less.
  [[nodiscard]] bool changes_at(std::uint32_t reads) const noexcept {
    return reads == cold_hits || reads == hot_hits + 1;
  }
};

// How often keys were read within about the last day: of this day, and the share of the day before
// that lies within 24 hours. Each day has a count-min sketch of four counts for each key, all in
// one cache line, and takes 512 KiB; counts are too high where more than about 100,000 keys are
// read in a day, and stay at kMost. Lock-free; thread-safe; where a day begins some reads may be
// lost. Cormode, Muthukrishnan, "An improved data stream summary: the count-min sketch", 2005.
class DailyReads {
 public:
  static constexpr std::uint32_t kMost = 65'535;

  explicit DailyReads(std::uint64_t seed) : seed_(seed), days_{Day(kBlocks), Day(kBlocks)} {}

  void add(std::string_view key, std::uint32_t reads, base::Nanos now) noexcept;
  [[nodiscard]] std::uint32_t count(std::string_view key, base::Nanos now) const noexcept;

 private:
  static constexpr std::size_t kRows = 4;
  static constexpr std::size_t kCounts = 32;  // of a block: eight for each row
  static constexpr std::size_t kBlocks = std::size_t{1} << 13;
  struct alignas(64) Block {
    std::array<std::atomic<std::uint16_t>, kCounts> counts{};
  };
  struct Day {
    explicit Day(std::size_t size) : blocks(size) {}
    std::atomic<std::int64_t> number{0};  // of the day that the counts are of
    std::vector<Block> blocks;
  };

  [[nodiscard]] static std::size_t place(std::uint64_t hash, std::size_t row) noexcept;
  // The counts of that day, emptied if they were of another.
  [[nodiscard]] Day& begin(std::int64_t number) noexcept;
  [[nodiscard]] std::uint32_t count_on(std::int64_t number, std::uint64_t hash) const noexcept;

  const std::uint64_t seed_;
  std::array<Day, 2> days_;
};

// Keeps count of the use of keys, and says how long they stay by it. Thread-safe. The clock
// outlives it.
class Usage {
 public:
  Usage(const TtlByUse& rule, std::uint64_t seed, const base::Clock& clock)
      : rule_(rule), reads_(seed), clock_(clock) {}

  [[nodiscard]] const TtlByUse& rule() const noexcept { return rule_; }
  [[nodiscard]] base::Nanos now() const noexcept { return clock_.steady(); }
  void add(std::string_view key, std::uint32_t reads) noexcept {
    if (reads > 0) reads_.add(key, reads, now());
  }
  [[nodiscard]] std::uint32_t count(std::string_view key) const noexcept {
    return reads_.count(key, now());
  }

 private:
  const TtlByUse rule_;
  DailyReads reads_;
  const base::Clock& clock_;
};

}  // namespace vcache::l1
