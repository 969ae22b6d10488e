#include "l1/policy/lfu.hpp"

#include <algorithm>
#include <limits>

namespace vcache::l1::policy {

void Lfu::on_insert(EntryId id, const Candidate& candidate) {
  reach(nodes_, id);
  reserve_buckets();
  nodes_[id].bytes = candidate.bytes;
  const bool fits = lowest_ != kNoBucket && buckets_[lowest_].frequency == 1;
  place(id, fits ? lowest_ : add_bucket(1, kNoBucket));
  bytes_ += candidate.bytes;
  ++size_;
}

void Lfu::on_update(EntryId id, const Candidate& candidate) noexcept {
  bytes_ += candidate.bytes;
  bytes_ -= nodes_[id].bytes;
  nodes_[id].bytes = candidate.bytes;
  on_hit(id);
}

void Lfu::on_hit(EntryId id) noexcept {
  const BucketId bucket = nodes_[id].bucket;
  const std::uint32_t frequency = buckets_[bucket].frequency;
  if (frequency == std::numeric_limits<std::uint32_t>::max()) {
    buckets_[bucket].entries.move_to_front(nodes_, id);
    return;
  }
  const BucketId higher = buckets_[bucket].higher;
  if (higher != kNoBucket && buckets_[higher].frequency == frequency + 1) {
    take(id);
    place(id, higher);
  } else if (lone(id)) {
    ++buckets_[bucket].frequency;
  } else {
    take(id);
    place(id, add_bucket(frequency + 1, bucket));
  }
}

void Lfu::on_erase(EntryId id) noexcept {
  bytes_ -= nodes_[id].bytes;
  --size_;
  take(id);
}

EntryId Lfu::evict() noexcept {
  const EntryId id = buckets_[lowest_].entries.back();
  on_erase(id);
  return id;
}

// After this, as many buckets as there are entries can be had without an allocation.
void Lfu::reserve_buckets() {
  if (buckets_.capacity() > size_) return;
  buckets_.reserve(std::max<std::size_t>(2 * buckets_.capacity(), 16));
}

// The new bucket comes right above `lower`.
Lfu::BucketId Lfu::add_bucket(std::uint32_t frequency, BucketId lower) noexcept {
  BucketId bucket = free_;
  if (bucket == kNoBucket) {
    bucket = static_cast<BucketId>(buckets_.size());
    buckets_.emplace_back();
  } else {
    free_ = buckets_[bucket].higher;
  }
  BucketId& below = lower == kNoBucket ? lowest_ : buckets_[lower].higher;
  const BucketId higher = below;
  buckets_[bucket] = Bucket{.frequency = frequency, .lower = lower, .higher = higher};
  below = bucket;
  if (higher != kNoBucket) buckets_[higher].lower = bucket;
  return bucket;
}

void Lfu::drop_bucket(BucketId bucket) noexcept {
  const BucketId lower = buckets_[bucket].lower;
  const BucketId higher = buckets_[bucket].higher;
  (lower == kNoBucket ? lowest_ : buckets_[lower].higher) = higher;
  if (higher != kNoBucket) buckets_[higher].lower = lower;
  buckets_[bucket].higher = free_;
  free_ = bucket;
}

void Lfu::place(EntryId id, BucketId bucket) noexcept {
  nodes_[id].bucket = bucket;
  buckets_[bucket].entries.push_front(nodes_, id);
}

void Lfu::take(EntryId id) noexcept {
  const BucketId bucket = nodes_[id].bucket;
  buckets_[bucket].entries.remove(nodes_, id);
  if (buckets_[bucket].entries.empty()) drop_bucket(bucket);
}

bool Lfu::lone(EntryId id) const noexcept {
  const IdList& entries = buckets_[nodes_[id].bucket].entries;
  return entries.front() == id && entries.back() == id;
}

Standing Lfu::standing(EntryId id) const noexcept {
  return {.uses = buckets_[nodes_[id].bucket].frequency, .segment = 0};
}

void Lfu::on_restore(EntryId id, const Candidate& candidate, const Standing& standing) {
  reach(nodes_, id);
  reserve_buckets();
  const std::uint32_t frequency = std::max(standing.uses, 1U);
  BucketId below = kNoBucket;
  BucketId bucket = lowest_;
  while (bucket != kNoBucket && buckets_[bucket].frequency < frequency) {
    below = bucket;
    bucket = buckets_[bucket].higher;
  }
  if (bucket == kNoBucket || buckets_[bucket].frequency != frequency) {
    bucket = add_bucket(frequency, below);
  }
  nodes_[id].bytes = candidate.bytes;
  nodes_[id].bucket = bucket;
  buckets_[bucket].entries.push_back(nodes_, id);
  bytes_ += candidate.bytes;
  ++size_;
}

}  // namespace vcache::l1::policy
