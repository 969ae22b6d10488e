#include "l1/policy/ghost_lists.hpp"

namespace vcache::l1::policy {

void GhostLists::add(List list, std::uint32_t fingerprint, std::uint32_t bytes) {
  index_.reserve_one();
  reserve_one();
  (void)remove(fingerprint);
  const GhostId id = free_;
  free_ = ghosts_[id].next;
  ghosts_[id].fingerprint = fingerprint;
  ghosts_[id].bytes = bytes;
  lists_[id] = list;
  queue(list).push_front(ghosts_, id);
  index_.insert(fingerprint, id);
}

std::optional<GhostLists::List> GhostLists::find(std::uint32_t fingerprint) const noexcept {
  const GhostId id = index_.peek(fingerprint);
  if (id == kNoEntry) return std::nullopt;
  return lists_[id];
}

bool GhostLists::remove(std::uint32_t fingerprint) noexcept {
  const GhostId id = index_.peek(fingerprint);
  if (id == kNoEntry) return false;
  index_.erase(fingerprint, id);
  queue(lists_[id]).remove(ghosts_, id);
  ghosts_[id].next = free_;
  free_ = id;
  return true;
}

// After this there is an unused one.
void GhostLists::reserve_one() {
  if (free_ != kNoEntry) return;
  const auto id = static_cast<GhostId>(ghosts_.size());
  reach(lists_, id);
  reach(ghosts_, id);
  free_ = id;
}

}  // namespace vcache::l1::policy
