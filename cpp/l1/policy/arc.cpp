#include "l1/policy/arc.hpp"

#include <algorithm>

#include "l1/policy/fingerprint.hpp"

namespace vcache::l1::policy {

// May come more than once for one newcomer: it adapts the first time.
void Arc::on_miss(const Candidate& candidate) noexcept {
  const std::uint32_t newcomer = fingerprint(candidate.key_hash);
  if (arriving_.fingerprint == newcomer) return;
  arriving_ = {.fingerprint = newcomer, .bytes = candidate.bytes, .ghost = ghosts_.find(newcomer)};
  capacity_ = bytes();
  if (arriving_.ghost) adapt(*arriving_.ghost, candidate.bytes);
}

void Arc::on_insert(EntryId id, const Candidate& candidate) {
  reach(nodes_, id);
  reach(used_again_, id);
  on_miss(candidate);
  Entry& entry = nodes_[id];
  entry.bytes = candidate.bytes;
  entry.fingerprint = arriving_.fingerprint;
  arriving_ = {};
  used_again_[id] = ghosts_.remove(entry.fingerprint) ? 1 : 0;
  queue_of(id).push_front(nodes_, id);
}

void Arc::on_update(EntryId id, const Candidate& candidate) noexcept {
  queue_of(id).resize(nodes_, id, candidate.bytes);
  on_hit(id);
}

void Arc::on_hit(EntryId id) noexcept {
  if (used_again_[id] != 0) return again_.move_to_front(nodes_, id);
  once_.remove(nodes_, id);
  used_again_[id] = 1;
  again_.push_front(nodes_, id);
}

// Case IV of the paper: one that is nobody's ghost first makes the oldest ghosts leave, so that
// both lists of the first kind stay within the capacity, and all four within twice that.
EntryId Arc::evict() {
  const std::uint64_t capacity = std::max(capacity_, bytes());
  if (arriving_.ghost) return replace();
  const std::uint64_t once = once_.bytes() + arriving_.bytes;
  if (once + ghosts_.bytes(kOnce) > capacity) {
    if (ghosts_.size(kOnce) == 0 && !once_.empty()) return once_.pop_back(nodes_);
    while (ghosts_.size(kOnce) > 0 && once + ghosts_.bytes(kOnce) > capacity) {
      ghosts_.forget_oldest(kOnce);
    }
  } else {
    const std::uint64_t held = bytes() + arriving_.bytes;
    while (ghosts_.size(kAgain) > 0 && held + ghosts_.bytes() > 2 * capacity) {
      ghosts_.forget_oldest(kAgain);
    }
  }
  return replace();
}

// In proportion to how much longer the other list of ghosts is: a hit in a short one says more.
void Arc::adapt(List ghost, std::uint32_t bytes) noexcept {
  const List other = ghost == kOnce ? kAgain : kOnce;
  const double own_bytes = std::max(static_cast<double>(ghosts_.bytes(ghost)), 1.0);
  const double ratio = static_cast<double>(ghosts_.bytes(other)) / own_bytes;
  const double step = bytes * std::max(ratio, 1.0);
  target_ += ghost == kOnce ? step : -step;
  target_ = std::clamp(target_, 0.0, static_cast<double>(capacity_));
}

// A newcomer from the ghosts of the second list decides a tie against the first.
EntryId Arc::replace() {
  const auto once = static_cast<double>(once_.bytes());
  const bool over = once > target_ || (arriving_.ghost == kAgain && once >= target_);
  const bool from_once = !once_.empty() && (over || again_.empty());
  Queue& loser = from_once ? once_ : again_;
  const Entry& victim = nodes_[loser.back()];
  ghosts_.add(from_once ? kOnce : kAgain, victim.fingerprint, victim.bytes);
  const EntryId id = loser.pop_back(nodes_);
  limit_ghosts();
  return id;
}

// To about as many as entries, however small those were that left.
void Arc::limit_ghosts() noexcept {
  const std::size_t most = size() + 2;  // the victim's place, and the newcomer's own ghost
  while (ghosts_.size() > most) {
    const bool more = ghosts_.bytes(kOnce) > ghosts_.bytes(kAgain);
    const bool once = ghosts_.size(kOnce) > 0 && (more || ghosts_.size(kAgain) == 0);
    ghosts_.forget_oldest(once ? kOnce : kAgain);
  }
}

Standing Arc::standing(EntryId id) const noexcept {
  return {.uses = used_again_[id] + 1U,
          .segment = used_again_[id],
          .weight = static_cast<float>(target_ / std::max(static_cast<double>(bytes()), 1.0))};
}

void Arc::on_restore(EntryId id, const Candidate& candidate, const Standing& standing) {
  reach(nodes_, id);
  reach(used_again_, id);
  nodes_[id].bytes = candidate.bytes;
  nodes_[id].fingerprint = fingerprint(candidate.key_hash);
  const bool is_known = standing.segment != Standing::kAnySegment;
  used_again_[id] = (is_known ? standing.segment != 0 : standing.uses > 1) ? 1 : 0;
  queue_of(id).push_back(nodes_, id);
  if (is_known)
    target_ = std::clamp(double{standing.weight}, 0.0, 1.0) * static_cast<double>(bytes());
}

}  // namespace vcache::l1::policy
