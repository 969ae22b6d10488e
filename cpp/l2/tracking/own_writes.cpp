#include "l2/tracking/own_writes.hpp"

#include <cstring>
#include <exception>
#include <utility>

namespace vcache::l2::tracking {

void OwnWrites::enable() {
  std::vector<Set> sets(kSets);
  {
    const base::SpinLock lock(mutex_);
    sets_.swap(sets);
  }
  recording_.store(true, std::memory_order_relaxed);
  enabled_.store(true, std::memory_order_release);
}

std::uint64_t OwnWrites::tag_of(const codec::Fingerprint& key) noexcept {
  std::uint64_t tag = 0;
  std::memcpy(&tag, key.data(), sizeof tag);
  return tag == 0 ? 1 : tag;
}

OwnWrites::Slot* OwnWrites::find_locked(std::uint64_t tag) {
  for (Slot& slot : set_of(tag).slots) {
    if (slot.key == tag) return &slot;
  }
  return nullptr;
}

void OwnWrites::note(const codec::Fingerprint& key, std::uint64_t checksum) noexcept {
  if (!enabled()) return;
  const std::uint64_t tag = tag_of(key);
  const base::SpinLock lock(mutex_);
  Slot* slot = find_locked(tag);
  if (slot == nullptr) slot = find_free_locked(tag);
  *slot = {.key = tag, .checksum = checksum};
}

OwnWrites::Slot* OwnWrites::find_free_locked(std::uint64_t tag) {
  Set& set = set_of(tag);
  for (Slot& slot : set.slots) {
    if (slot.key == 0) return &slot;
  }
  next_way_ = (next_way_ + 1) % kWays;
  return &set.slots[next_way_];
}

void OwnWrites::note_again(const codec::Fingerprint& key, std::uint64_t from,
                           std::uint64_t to) noexcept {
  if (!enabled()) return;
  const base::SpinLock lock(mutex_);
  Slot* const slot = find_locked(tag_of(key));
  if (slot != nullptr && slot->checksum == from) slot->checksum = to;
}

std::optional<std::uint64_t> OwnWrites::find(const codec::Fingerprint& key) const noexcept {
  if (!enabled()) return std::nullopt;
  const std::uint64_t tag = tag_of(key);
  const base::SpinLock lock(mutex_);
  for (const Slot& slot : sets_[tag % kSets].slots) {
    if (slot.key == tag) return slot.checksum;
  }
  return std::nullopt;
}

void OwnWrites::forget(const codec::Fingerprint& key) noexcept {
  if (!enabled()) return;
  const base::SpinLock lock(mutex_);
  if (Slot* const slot = find_locked(tag_of(key)); slot != nullptr) *slot = {};
}

void OwnWrites::clear() noexcept {
  if (!enabled()) return;
  const base::SpinLock lock(mutex_);
  for (Set& set : sets_) set = {};
}

void OwnWrites::record(std::string_view key, const codec::Fingerprint& fingerprint,
                       std::uint64_t checksum) noexcept {
  note(fingerprint, checksum);
  const base::SpinLock lock(mutex_);
  record_name(recorded_.keys, key);
}

void OwnWrites::record_tags(std::span<const std::string_view> tags) noexcept {
  const base::SpinLock lock(mutex_);
  for (const std::string_view tag : tags) record_name(recorded_.tags, tag);
}

void OwnWrites::record_name(std::vector<std::string>& names, std::string_view name) noexcept {
  if (names.size() >= kMostRecorded) too_many_ = true;
  if (too_many_) return;
  try {
    names.emplace_back(name);
  } catch (const std::exception&) {
    too_many_ = true;
  }
}

std::optional<OwnWrites::Recorded> OwnWrites::take_recorded() noexcept {
  const base::SpinLock lock(mutex_);
  recording_.store(false, std::memory_order_release);
  Recorded recorded = std::exchange(recorded_, {});
  if (std::exchange(too_many_, false)) return std::nullopt;
  return recorded;
}

}  // namespace vcache::l2::tracking
