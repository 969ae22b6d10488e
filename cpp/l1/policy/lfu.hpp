#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/page_allocator.hpp"
#include "l1/policy/id_list.hpp"
#include "l1/policy/policy.hpp"
#include "l1/policy/standing.hpp"

namespace vcache::l1::policy {

// Evicts the entry with the fewest uses since it came in; among equals the least recently used.
// Constant time: entries of one frequency share a bucket, and buckets form a list in order of
// frequency. Shah, Mitra, Matani, "An O(1) algorithm for implementing the LFU cache eviction
// scheme", 2010. Differs from it: buckets lie in a vector, and a lone entry takes its bucket along
// to the next frequency, so that a hit never allocates. 16 bytes an entry, 20 a frequency in use.
class Lfu {
 public:
  static constexpr std::string_view kName = "lfu";

  void on_insert(EntryId id, const Candidate& candidate);
  void on_update(EntryId id, const Candidate& candidate) noexcept;
  void on_hit(EntryId id) noexcept;
  void on_erase(EntryId id) noexcept;
  [[nodiscard]] EntryId evict() noexcept;
  [[nodiscard]] Standing standing(EntryId id) const noexcept;
  void on_restore(EntryId id, const Candidate& candidate, const Standing& standing);

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return occupied(nodes_) + occupied(buckets_);
  }

 private:
  using BucketId = std::uint32_t;
  static constexpr BucketId kNoBucket = 0xFFFFFFFF;

  struct Entry : Node {
    BucketId bucket = kNoBucket;
  };

  struct Bucket {
    IdList entries{};  // most recent first
    std::uint32_t frequency = 0;
    BucketId lower = kNoBucket;
    BucketId higher = kNoBucket;  // next free one while unused
  };

  void reserve_buckets();
  [[nodiscard]] BucketId add_bucket(std::uint32_t frequency, BucketId lower) noexcept;
  void drop_bucket(BucketId bucket) noexcept;
  void place(EntryId id, BucketId bucket) noexcept;
  void take(EntryId id) noexcept;
  [[nodiscard]] bool lone(EntryId id) const noexcept;

  base::Table<Entry> nodes_;
  base::Table<Bucket> buckets_;  // capacity: at least one for each entry
  BucketId lowest_ = kNoBucket;
  BucketId free_ = kNoBucket;
  std::size_t size_ = 0;
  std::uint64_t bytes_ = 0;
};

static_assert(EvictionPolicy<Lfu>);

}  // namespace vcache::l1::policy
