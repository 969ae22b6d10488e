#include "l1/usage.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace vcache::l1 {

namespace {

constexpr base::Nanos kDay = std::chrono::hours(24);
constexpr unsigned kPlaceBits = 32;  // of a hash, from here on; the block's below

// The first is 1, so that counts of day 0 are of none.
std::int64_t day_of(base::Nanos now) noexcept { return now / kDay + 1; }

void increase(std::atomic<std::uint16_t>& count, std::uint32_t by) noexcept {
  std::uint16_t old = count.load(std::memory_order_relaxed);
  std::uint16_t more = 0;
  do {
    if (old == DailyReads::kMost) return;
    more = static_cast<std::uint16_t>(
        std::min(old + std::min(by, DailyReads::kMost), DailyReads::kMost));
  } while (!count.compare_exchange_weak(old, more, std::memory_order_relaxed));
}

}  // namespace

// Three bits of the hash name one of the eight counts of a row.
std::size_t DailyReads::place(std::uint64_t hash, std::size_t row) noexcept {
  return 8 * row + (hash >> (kPlaceBits + 3 * row) & 7);
}

void DailyReads::add(std::string_view key, std::uint32_t reads, base::Nanos now) noexcept {
  const std::uint64_t hash = base::hash64(key, seed_);
  auto& counts = begin(day_of(now)).blocks[hash % kBlocks].counts;
  for (std::size_t row = 0; row < kRows; ++row) increase(counts[place(hash, row)], reads);
}

std::uint32_t DailyReads::count(std::string_view key, base::Nanos now) const noexcept {
  const std::uint64_t hash = base::hash64(key, seed_);
  const std::int64_t today = day_of(now);
  const double left =
      1 - static_cast<double>((now % kDay).count()) / static_cast<double>(kDay.count());
  const double before = static_cast<double>(count_on(today - 1, hash)) * left;
  return count_on(today, hash) + static_cast<std::uint32_t>(before);
}

std::uint32_t DailyReads::count_on(std::int64_t number, std::uint64_t hash) const noexcept {
  const Day& day = days_[static_cast<std::size_t>(number & 1)];
  if (day.number.load(std::memory_order_acquire) != number) return 0;
  std::uint32_t lowest = kMost;
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto& count = day.blocks[hash % kBlocks].counts[place(hash, row)];
    lowest = std::min<std::uint32_t>(lowest, count.load(std::memory_order_relaxed));
  }
  return lowest;
}

DailyReads::Day& DailyReads::begin(std::int64_t number) noexcept {
  Day& day = days_[static_cast<std::size_t>(number & 1)];
  std::int64_t old = day.number.load(std::memory_order_acquire);
  if (old >= number || !day.number.compare_exchange_strong(old, number)) return day;
  for (Block& block : day.blocks) {
    for (auto& count : block.counts) count.store(0, std::memory_order_relaxed);
  }
  return day;
}

}  // namespace vcache::l1
