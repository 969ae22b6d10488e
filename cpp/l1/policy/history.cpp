#include "l1/policy/history.hpp"

#include <utility>

#include "l1/policy/fingerprint.hpp"

namespace vcache::l1::policy {

namespace {

// The hand passes no more records than that for a newcomer.
constexpr int kSteps = 8;

}  // namespace

History::Slot History::access(std::uint64_t key_hash) {
  Slot slot = find(key_hash);
  if (slot == kNoSlot) {
    forget_some();
    index_.reserve_one();
    slot = new_slot();
    index_.insert(key_hash, slot);
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
  return index_.find(key_hash, [&](Slot slot) { return records_[slot].key_hash == key_hash; });
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
  return records_.size() * sizeof(Record) + index_.memory_bytes() + sketch_.memory_bytes();
}

History::Slot History::new_slot() {
  if (free_ == kNoSlot) {
    records_.emplace_back();
    return static_cast<Slot>(records_.size() - 1);
  }
  return std::exchange(free_, records_[free_].first);
}

void History::forget_some() noexcept {
  for (int step = 0; step < kSteps && index_.size() >= limit_; ++step) {
    if (hand_ >= records_.size()) hand_ = 0;
    Record& record = records_[hand_];
    if (record.is_used != 0 && record.holders == 0 && record.is_spared == 0) forget(hand_);
    record.is_spared = 0;
    ++hand_;
  }
}

void History::forget(Slot slot) noexcept {
  index_.erase(records_[slot].key_hash, slot);
  records_[slot] = {.first = free_};
  free_ = slot;
}

}  // namespace vcache::l1::policy
