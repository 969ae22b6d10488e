#include "l1/policy/lru.hpp"

namespace vcache::l1::policy {

void Lru::on_insert(EntryId id, const Candidate& candidate) {
  reach(nodes_, id);
  nodes_[id].bytes = candidate.bytes;
  queue_.push_front(nodes_, id);
}

void Lru::on_update(EntryId id, const Candidate& candidate) noexcept {
  queue_.resize(nodes_, id, candidate.bytes);
  on_hit(id);
}

Standing Lru::standing(EntryId /*id*/) const noexcept { return {.segment = 0}; }

void Lru::on_restore(EntryId id, const Candidate& candidate, const Standing& /*standing*/) {
  reach(nodes_, id);
  nodes_[id].bytes = candidate.bytes;
  queue_.push_back(nodes_, id);
}

}  // namespace vcache::l1::policy
