#include "l1/policy/gdsf.hpp"

#include <algorithm>
#include <limits>

namespace vcache::l1::policy {

void Gdsf::on_insert(EntryId id, const Candidate& candidate) {
  reach(entries_, id);
  const Entry entry{.bytes = candidate.bytes, .uses = 1, .cost = cost_of(candidate)};
  heap_.push(id, next_rank(entry));
  entries_[id] = entry;
  bytes_ += entry.bytes;
}

void Gdsf::on_update(EntryId id, const Candidate& candidate) noexcept {
  Entry& entry = entries_[id];
  bytes_ += candidate.bytes;
  bytes_ -= entry.bytes;
  entry.bytes = candidate.bytes;
  entry.cost = cost_of(candidate);
  on_hit(id);
}

void Gdsf::on_hit(EntryId id) noexcept {
  Entry& entry = entries_[id];
  if (entry.uses != std::numeric_limits<std::uint32_t>::max()) ++entry.uses;
  heap_.change(id, next_rank(entry));
}

void Gdsf::on_erase(EntryId id) noexcept {
  bytes_ -= entries_[id].bytes;
  heap_.remove(id);
}

EntryId Gdsf::evict() noexcept {
  const EntryId id = heap_.top();
  age_ = heap_.lowest().priority;
  on_erase(id);
  return id;
}

float Gdsf::cost_of(const Candidate& candidate) noexcept {
  return candidate.cost > 0 ? std::min(candidate.cost, std::numeric_limits<float>::max()) : 1.0F;
}

Gdsf::Rank Gdsf::next_rank(const Entry& entry) noexcept {
  const double worth = double{entry.cost} / std::max(entry.bytes, 1U);
  return {.priority = age_ + entry.uses * worth, .used = uses_++};
}

Standing Gdsf::standing(EntryId id) const noexcept {
  return {.uses = entries_[id].uses,
          .segment = 0,
          .weight = static_cast<float>(heap_.rank(id).priority - age_)};
}

void Gdsf::on_restore(EntryId id, const Candidate& candidate, const Standing& standing) {
  reach(entries_, id);
  const Entry entry{
      .bytes = candidate.bytes, .uses = std::max(standing.uses, 1U), .cost = cost_of(candidate)};
  const bool is_known = standing.segment != Standing::kAnySegment;
  const double worth = double{entry.cost} / std::max(entry.bytes, 1U) * entry.uses;
  const double above = is_known ? std::max(double{standing.weight}, 0.0) : worth;
  heap_.push(id, {.priority = age_ + above, .used = --restored_});
  entries_[id] = entry;
  bytes_ += entry.bytes;
}

}  // namespace vcache::l1::policy
