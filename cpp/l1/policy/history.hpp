#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/page_allocator.hpp"
#include "l1/policy/frequency_sketch.hpp"
#include "predictor/features.hpp"

namespace vcache::l1::policy {

// What is remembered of keys, cached ones and ghosts: those that left or never came. Ghosts beyond
// a limit are forgotten, those not accessed longest first (by second chance). Not thread-safe.
// 30 to 32 bytes a key, and 8 to 16 of sketch for each entry.
class History {
 public:
  using Slot = std::uint32_t;
  static constexpr Slot kNoSlot = 0xFFFFFFFF;

  // Counts an access. The slot is valid until another key is accessed, or while it is held.
  // Throws std::bad_alloc, having remembered nothing.
  Slot access(std::uint64_t key_hash);
  // kNoSlot where nothing is known.
  [[nodiscard]] Slot find(std::uint64_t key_hash) const noexcept;

  // While anybody holds a slot its key is not forgotten. False where too many hold it already.
  bool hold(Slot slot) noexcept;
  void let_go(Slot slot) noexcept { --records_[slot].holders; }

  // Keys to remember, held ones included.
  void set_limit(std::size_t keys) noexcept { limit_ = keys; }
  // Makes room in the sketch.
  void reach(std::size_t entries) { sketch_.reach(entries); }

  [[nodiscard]] predictor::AccessTime now() const noexcept { return now_; }
  [[nodiscard]] predictor::KeyPast past(Slot slot) const noexcept {
    const Record& record = records_[slot];
    return {.first = record.first,
            .last = record.last,
            .gaps = record.gaps,
            .accesses = record.accesses};
  }
  [[nodiscard]] predictor::AccessTime last(Slot slot) const noexcept { return records_[slot].last; }
  [[nodiscard]] std::uint64_t key_hash(Slot slot) const noexcept { return records_[slot].key_hash; }
  [[nodiscard]] std::uint8_t estimate(Slot slot) const noexcept;
  [[nodiscard]] const FrequencySketch& sketch() const noexcept { return sketch_; }
  void prefetch(Slot slot) const noexcept { __builtin_prefetch(&records_[slot]); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // Keys that there is memory for.
  [[nodiscard]] std::size_t room() const noexcept { return records_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  struct Record {
    std::uint64_t key_hash = 0;
    predictor::AccessTime first = 0;
    predictor::AccessTime last = 0;
    std::array<predictor::LogGap, 4> gaps = {};
    std::uint16_t accesses = 0;
    std::uint16_t holders : 14 = 0;
    std::uint16_t is_used : 1 = 0;
    std::uint16_t is_spared : 1 = 0;  // accessed since the hand passed
  };
  static_assert(sizeof(Record) == 24);
  static constexpr unsigned kMostHolders = (1U << 14) - 1;

  [[nodiscard]] std::size_t bucket(std::uint64_t key_hash) const noexcept {
    return key_hash & (buckets_.size() - 1);
  }
  // Makes room for one more key. Throws std::bad_alloc, having changed nothing that shows.
  void reserve_one();
  [[nodiscard]] Slot new_slot() noexcept;
  void forget_some() noexcept;
  void forget(Slot slot) noexcept;

  base::Table<Record> records_;
  // The slots of a bucket are a list, two of them on average at most: of all indices the smallest.
  base::Table<Slot> buckets_;  // the first of each; a power of two
  base::Table<Slot> after_;    // the next one of its bucket, or of those that are free
  std::size_t size_ = 0;
  FrequencySketch sketch_;
  std::size_t limit_ = ~std::size_t{0};
  Slot free_ = kNoSlot;
  Slot hand_ = 0;
  predictor::AccessTime now_ = 0;
};

}  // namespace vcache::l1::policy
