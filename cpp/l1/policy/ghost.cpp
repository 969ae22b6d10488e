#include "l1/policy/ghost.hpp"

#include <utility>

#include "base/page_allocator.hpp"

namespace vcache::l1::policy {

namespace {

constexpr std::size_t kSmallestRing = 16;

}  // namespace

void Ghost::add(std::uint32_t fingerprint, std::size_t limit) {
  (void)remove(fingerprint);
  while (size() > 0 && size() >= limit) forget_oldest();
  if (limit == 0) return;
  if (size() == ring_.size()) grow();
  at(next_) = fingerprint;
  index(next_);
  ++next_;
}

bool Ghost::remove(std::uint32_t fingerprint) noexcept {
  const std::size_t slot = find(fingerprint);
  if (slot == kNoSlot) return false;
  ring_[slots_[slot] - 1] = 0;
  clear_slot(slot);
  return true;
}

std::size_t Ghost::memory_bytes() const noexcept {
  return (ring_.size() + slots_.size()) * sizeof(std::uint32_t);
}

std::size_t Ghost::home(std::uint32_t fingerprint) const noexcept {
  return fingerprint & (slots_.size() - 1);
}

std::size_t Ghost::find(std::uint32_t fingerprint) noexcept {
  if (slots_.empty()) return kNoSlot;
  std::size_t slot = home(fingerprint);
  while (slots_[slot] != 0) {
    if (ring_[slots_[slot] - 1] == fingerprint) return slot;
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return kNoSlot;
}

void Ghost::index(Place place) noexcept {
  std::size_t slot = home(at(place));
  while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
  slots_[slot] = (place & static_cast<Place>(ring_.size() - 1)) + 1;
}

// Moves later members of the probe run back, so that no search stops short of them.
void Ghost::clear_slot(std::size_t slot) noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = slot;
  for (std::size_t next = (hole + 1) & mask; slots_[next] != 0; next = (next + 1) & mask) {
    const std::size_t origin = home(ring_[slots_[next] - 1]);
    if (((next - origin) & mask) < ((next - hole) & mask)) continue;
    slots_[hole] = slots_[next];
    hole = next;
  }
  slots_[hole] = 0;
}

void Ghost::forget_oldest() noexcept {
  const std::uint32_t oldest = at(first_);
  if (oldest != 0) (void)remove(oldest);
  ++first_;
}

void Ghost::grow() {
  const std::size_t size = ring_.empty() ? kSmallestRing : 2 * ring_.size();
  base::Table<std::uint32_t> bigger(size, 0);
  for (Place place = first_; place != next_; ++place) bigger[place & (size - 1)] = at(place);
  slots_.assign(2 * size, 0);
  ring_ = std::move(bigger);
  for (Place place = first_; place != next_; ++place) {
    if (at(place) != 0) index(place);
  }
}

}  // namespace vcache::l1::policy
