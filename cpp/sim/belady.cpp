#include "sim/belady.hpp"

namespace vcache::sim {

void Belady::on_insert(EntryId id, const Candidate& candidate) {
  l1::policy::reach(sizes_, id);
  heap_.push(id, ~next_use_);
  sizes_[id] = candidate.bytes;
  bytes_ += candidate.bytes;
}

void Belady::on_update(EntryId id, const Candidate& candidate) noexcept {
  bytes_ += candidate.bytes;
  bytes_ -= sizes_[id];
  sizes_[id] = candidate.bytes;
  on_hit(id);
}

void Belady::on_erase(EntryId id) noexcept {
  bytes_ -= sizes_[id];
  heap_.remove(id);
}

Belady::EntryId Belady::evict() noexcept {
  const EntryId id = heap_.top();
  on_erase(id);
  return id;
}

}  // namespace vcache::sim
