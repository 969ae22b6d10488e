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

}  // namespace vcache::l1::policy
