#include "l1/policy/sieve.hpp"

namespace vcache::l1::policy {

void Sieve::on_insert(EntryId id, const Candidate& candidate) {
  reach(nodes_, id);
  reach(visited_, id);
  nodes_[id].bytes = candidate.bytes;
  visited_[id] = 0;
  queue_.push_front(nodes_, id);
}

void Sieve::on_update(EntryId id, const Candidate& candidate) noexcept {
  queue_.resize(nodes_, id, candidate.bytes);
  on_hit(id);
}

void Sieve::on_erase(EntryId id) noexcept {
  if (hand_ == id) hand_ = nodes_[id].prev;
  queue_.remove(nodes_, id);
}

EntryId Sieve::evict() noexcept {
  EntryId id = hand_ == kNoEntry ? queue_.back() : hand_;
  while (visited_[id] != 0) {
    visited_[id] = 0;
    id = step(id);
  }
  hand_ = nodes_[id].prev;
  queue_.remove(nodes_, id);
  return id;
}

EntryId Sieve::step(EntryId id) const noexcept {
  const EntryId newer = nodes_[id].prev;
  return newer == kNoEntry ? queue_.back() : newer;
}

Standing Sieve::standing(EntryId id) const noexcept { return {.uses = visited_[id], .segment = 0}; }

void Sieve::on_restore(EntryId id, const Candidate& candidate, const Standing& standing) {
  reach(nodes_, id);
  reach(visited_, id);
  nodes_[id].bytes = candidate.bytes;
  visited_[id] = standing.uses > 0 ? 1 : 0;
  queue_.push_back(nodes_, id);
}

}  // namespace vcache::l1::policy
