#include "l1/policy/history.hpp"

#include <algorithm>
#include <utility>

#include "l1/policy/fingerprint.hpp"

namespace vcache::l1::policy {

namespace {

// The hand passes no more records than that for a newcomer.
constexpr int kSteps = 8;
constexpr std::size_t kFewestBuckets = 8;
constexpr std::size_t kMostPerBucket = 2;  // on average

}  // namespace

History::Slot History::access(std::uint64_t key_hash) {
  Slot slot = find(key_hash);
  if (slot == kNoSlot) {
    forget_some();
    reserve_one();
    slot = new_slot();
    after_[slot] = std::exchange(buckets_[bucket(key_hash)], slot);
    ++size_;
    ++now_;
    records_[slot] = {
        .key_hash = key_hash, .first = now_, .last = now_, .accesses = 1, .is_used = 1};
  } else {
    ++now_;
    predictor::KeyPast known = past(slot);
    predictor::note_access(known, now_);
    Record& record = records_[slot];
    record.last = known.last;
    record.gaps = known.gaps;
    record.accesses = known.accesses;
    record.is_spared = 1;
  }
  sketch_.add(fingerprint(key_hash));
  return slot;
}

History::Slot History::find(std::uint64_t key_hash) const noexcept {
  if (buckets_.empty()) return kNoSlot;
  Slot slot = buckets_[bucket(key_hash)];
  while (slot != kNoSlot && records_[slot].key_hash != key_hash) slot = after_[slot];
  return slot;
}

std::uint8_t History::estimate(Slot slot) const noexcept {
  return static_cast<std::uint8_t>(sketch_.estimate(fingerprint(records_[slot].key_hash)));
}

bool History::hold(Slot slot) noexcept {
  if (records_[slot].holders == kMostHolders) return false;
  ++records_[slot].holders;
  return true;
}

std::size_t History::memory_bytes() const noexcept {
  return records_.size() * sizeof(Record) + (buckets_.size() + after_.size()) * sizeof(Slot) +
         sketch_.memory_bytes();
}

void History::reserve_one() {
  if (size_ >= kMostPerBucket * buckets_.size()) {
    base::Table<Slot> more(std::max(kFewestBuckets, 2 * buckets_.size()), kNoSlot);
    buckets_.swap(more);
    for (Slot slot = 0; slot < records_.size(); ++slot) {
      if (records_[slot].is_used == 0) continue;
      after_[slot] = std::exchange(buckets_[bucket(records_[slot].key_hash)], slot);
    }
  }
  if (free_ != kNoSlot) return;
  after_.resize(records_.size() + 1);
  records_.emplace_back();
  free_ = static_cast<Slot>(records_.size() - 1);
  after_[free_] = kNoSlot;
}

History::Slot History::new_slot() noexcept { return std::exchange(free_, after_[free_]); }

void History::forget_some() noexcept {
  for (int step = 0; step < kSteps && size_ >= limit_; ++step) {
    if (hand_ >= records_.size()) hand_ = 0;
    Record& record = records_[hand_];
    if (record.is_used != 0 && record.holders == 0 && record.is_spared == 0) forget(hand_);
    record.is_spared = 0;
    ++hand_;
  }
}

void History::forget(Slot slot) noexcept {
  Slot* link = &buckets_[bucket(records_[slot].key_hash)];
  while (*link != slot) link = &after_[*link];
  *link = after_[slot];
  records_[slot] = {};
  after_[slot] = std::exchange(free_, slot);
  --size_;
}

}  // namespace vcache::l1::policy
