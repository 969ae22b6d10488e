#include "l1/policy/wtinylfu.hpp"

#include <algorithm>
#include <utility>

#include "base/random.hpp"
#include "l1/policy/fingerprint.hpp"

namespace vcache::l1::policy {

namespace {

constexpr int kMostMoved = 1'000;                // entries that one call moves after the border
constexpr std::uint32_t kFrequentCandidate = 6;  // may win by chance,
constexpr std::uint64_t kChances = 128;          // one time in so many

}  // namespace

void WTinyLfu::on_insert(EntryId id, const Candidate& candidate) {
  reach(nodes_, id);
  reach(places_, id);
  sketch_.reach(nodes_.size());
  Entry& entry = nodes_[id];
  entry.bytes = candidate.bytes;
  entry.fingerprint = fingerprint(candidate.key_hash);
  sketch_.add(entry.fingerprint);
  count(false);
  places_[id] = Place::kWindow;
  queue(Place::kWindow).push_front(nodes_, id);
  has_come_ = true;
  if (left_ == 0) return;
  --left_;
  ++arrived_;
}

void WTinyLfu::on_update(EntryId id, const Candidate& candidate) noexcept {
  queue_of(id).resize(nodes_, id, candidate.bytes);
  use(id);
}

void WTinyLfu::on_hit(EntryId id) noexcept {
  count(true);
  use(id);
}

void WTinyLfu::use(EntryId id) noexcept {
  sketch_.add(nodes_[id].fingerprint);
  if (places_[id] != Place::kProbation) {
    queue_of(id).move_to_front(nodes_, id);
    return;
  }
  move(id, Place::kProtected);
  shrink_protected();
}

EntryId WTinyLfu::evict() noexcept {
  full_ = true;
  if (std::exchange(has_come_, false)) left_ = 0;
  ++left_;
  const EntryId candidate = next_candidate();
  const EntryId victim = main_victim();
  EntryId leaves = victim;
  if (candidate != kNoEntry) {
    if (victim != kNoEntry && admits(candidate, victim)) {
      move(candidate, Place::kProbation);
    } else {
      leaves = candidate;
    }
  }
  if (leaves == kNoEntry) leaves = queue(Place::kWindow).back();
  on_erase(leaves);
  return leaves;
}

std::size_t WTinyLfu::size() const noexcept {
  return queues_[0].size() + queues_[1].size() + queues_[2].size();
}

std::uint64_t WTinyLfu::bytes() const noexcept {
  return queues_[0].bytes() + queues_[1].bytes() + queues_[2].bytes();
}

std::size_t WTinyLfu::memory_bytes() const noexcept {
  return occupied(nodes_) + occupied(places_) + sketch_.memory_bytes();
}

// A write of a held entry is neither hit nor miss.
void WTinyLfu::count(bool hit) noexcept {
  if (full_) window_.count(hit, size());
}

void WTinyLfu::move(EntryId id, Place place) noexcept {
  queue_of(id).remove(nodes_, id);
  places_[id] = place;
  queue(place).push_front(nodes_, id);
}

void WTinyLfu::shrink_protected() noexcept {
  const Queue& protect = queue(Place::kProtected);
  const std::uint64_t share = share_of(kWindowAndProtected - window_.share());
  for (int i = 0; i < kMostMoved && protect.bytes() > share && protect.size() > 1; ++i) {
    move(protect.back(), Place::kProbation);
  }
}

// The entry that falls out of the window last, but for those that other newcomers push out, each of
// which is judged when it is its turn; those before it, which a large newcomer, the first eviction
// or a smaller share pushes out, go on probation unjudged. None when the window is within its
// share.
EntryId WTinyLfu::next_candidate() noexcept {
  const Queue& window = queue(Place::kWindow);
  const std::uint64_t share = share_of(window_.share());
  for (int i = 0; window.size() > 1 && window.bytes() > share; ++i) {
    const EntryId oldest = window.back();
    const std::uint64_t others = nodes_[oldest].bytes * (std::max<std::size_t>(arrived_, 1) - 1);
    const bool last = window.bytes() - nodes_[oldest].bytes <= share + others || window.size() == 2;
    if (last || i == kMostMoved) {
      arrived_ -= std::min<std::size_t>(arrived_, 1);
      return oldest;
    }
    move(oldest, Place::kProbation);
  }
  arrived_ = 0;
  return kNoEntry;
}

std::uint64_t WTinyLfu::share_of(double share) const noexcept {
  return static_cast<std::uint64_t>(share * static_cast<double>(bytes()));
}

EntryId WTinyLfu::main_victim() const noexcept {
  const Queue& probation = queue(Place::kProbation);
  return probation.empty() ? queue(Place::kProtected).back() : probation.back();
}

bool WTinyLfu::admits(EntryId candidate, EntryId victim) noexcept {
  const std::uint32_t asked = sketch_.estimate(nodes_[candidate].fingerprint);
  if (asked > sketch_.estimate(nodes_[victim].fingerprint)) return true;
  return asked >= kFrequentCandidate && base::next_random(random_) % kChances == 0;
}

Standing WTinyLfu::standing(EntryId id) const noexcept {
  return {.uses = sketch_.estimate(nodes_[id].fingerprint),
          .segment = static_cast<std::uint8_t>(places_[id]),
          .weight = static_cast<float>(window_.share())};
}

// In a cache of another size the shares of the queues differ for a while.
void WTinyLfu::on_restore(EntryId id, const Candidate& candidate, const Standing& standing) {
  reach(nodes_, id);
  reach(places_, id);
  sketch_.reach(nodes_.size());
  Entry& entry = nodes_[id];
  entry.bytes = candidate.bytes;
  entry.fingerprint = fingerprint(candidate.key_hash);
  const std::uint32_t uses = std::min(standing.uses, FrequencySketch::kHighest);
  for (std::uint32_t use = sketch_.estimate(entry.fingerprint); use < uses; ++use) {
    sketch_.add(entry.fingerprint);
  }
  const bool is_known = standing.segment <= static_cast<std::uint8_t>(Place::kProtected);
  places_[id] = is_known ? static_cast<Place>(standing.segment) : Place::kProbation;
  queue_of(id).push_back(nodes_, id);
  if (is_known) window_.resume(standing.weight);
}

}  // namespace vcache::l1::policy
