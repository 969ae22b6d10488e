#include "l1/policy/s3fifo.hpp"

#include <algorithm>

#include "l1/policy/fingerprint.hpp"

namespace vcache::l1::policy {

namespace {

constexpr std::uint8_t kUsesToPromote = 2;

}  // namespace

void S3Fifo::on_insert(EntryId id, const Candidate& candidate) {
  reach(nodes_, id);
  reach(states_, id);
  Entry& entry = nodes_[id];
  entry.bytes = candidate.bytes;
  entry.fingerprint = fingerprint(candidate.key_hash);
  states_[id] = ghost_.remove(entry.fingerprint) ? kInMain : std::uint8_t{0};
  queue_of(id).push_front(nodes_, id);
}

void S3Fifo::on_update(EntryId id, const Candidate& candidate) noexcept {
  queue_of(id).resize(nodes_, id, candidate.bytes);
  on_hit(id);
}

EntryId S3Fifo::evict() {
  while (small_over_share()) {
    const EntryId id = evict_small();
    if (id != kNoEntry) return id;
  }
  return main_.empty() ? small_.pop_back(nodes_) : evict_main();
}

bool S3Fifo::small_over_share() const noexcept {
  return !small_.empty() && small_.bytes() * 10 >= bytes();
}

// None when the oldest entry went to the main queue instead.
EntryId S3Fifo::evict_small() {
  const EntryId id = small_.pop_back(nodes_);
  if (states_[id] >= kUsesToPromote) {
    states_[id] = kInMain;
    main_.push_front(nodes_, id);
    return kNoEntry;
  }
  ghost_.add(nodes_[id].fingerprint, (size() + 1) * 9 / 10);
  return id;
}

EntryId S3Fifo::evict_main() noexcept {
  EntryId id = main_.back();
  while ((states_[id] & kUses) != 0) {
    --states_[id];
    main_.move_to_front(nodes_, id);
    id = main_.back();
  }
  main_.remove(nodes_, id);
  return id;
}

Standing S3Fifo::standing(EntryId id) const noexcept {
  return {.uses = states_[id] & std::uint32_t{kUses},
          .segment = static_cast<std::uint8_t>((states_[id] & kInMain) != 0 ? 1 : 0)};
}

void S3Fifo::on_restore(EntryId id, const Candidate& candidate, const Standing& standing) {
  reach(nodes_, id);
  reach(states_, id);
  nodes_[id].bytes = candidate.bytes;
  nodes_[id].fingerprint = fingerprint(candidate.key_hash);
  const std::uint32_t uses = std::min<std::uint32_t>(standing.uses, kUses);
  states_[id] = static_cast<std::uint8_t>(uses | (standing.segment == 0 ? 0 : kInMain));
  queue_of(id).push_back(nodes_, id);
}

}  // namespace vcache::l1::policy
