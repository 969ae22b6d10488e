#include "metrics/group_table.hpp"

#include "base/hash.hpp"
#include "metrics/plain_text.hpp"

namespace vcache::metrics {

namespace {

constexpr std::string_view kNoGroup = "-";

std::string_view prefix_of(std::string_view key) noexcept {
  const std::size_t colon = key.find(':');
  return colon == std::string_view::npos ? kNoGroup : key.substr(0, colon);
}

}  // namespace

std::string_view group_of(std::string_view key) noexcept {
  const std::string_view prefix = prefix_of(key);
  return is_plain_text(prefix) ? prefix : kNoGroup;
}

GroupTable::GroupTable() {
  (void)add("other");
  (void)add(kNoGroup);
}

// Only text has a number, so that a prefix found needs no check.
GroupId GroupTable::id_of(std::string_view key) {
  const std::string_view prefix = prefix_of(key);
  if (prefix.size() <= kMaxName) {
    if (const Group* group = find(prefix)) return group->id;
  }
  const std::string_view name = group_of(key);
  if (name.size() > kMaxName) return kOther;
  const Group* group = find(name);
  return group != nullptr ? group->id : add(name);
}

std::vector<std::string> GroupTable::names() const {
  const base::SpinLock lock(mutex_);
  std::vector<std::string> names;
  names.reserve(groups_.size());
  for (const Group& group : groups_) names.push_back(group.name);
  return names;
}

std::atomic<const GroupTable::Group*>& GroupTable::slot_of(std::string_view name) noexcept {
  std::size_t i = base::hash64(name, 0) % kSlots;
  while (true) {
    const Group* group = slots_[i].load(std::memory_order_acquire);
    if (group == nullptr || group->name == name) return slots_[i];
    i = (i + 1) % kSlots;
  }
}

GroupId GroupTable::add(std::string_view name) {
  const base::SpinLock lock(mutex_);
  std::atomic<const Group*>& slot = slot_of(name);
  if (const Group* group = slot.load(std::memory_order_acquire)) return group->id;
  if (!admit(name)) return kOther;
  groups_.push_back({.name = std::string(name), .id = static_cast<GroupId>(groups_.size())});
  slot.store(&groups_.back(), std::memory_order_release);
  return groups_.back().id;
}

bool GroupTable::admit(std::string_view name) {
  if (groups_.size() >= kMaxGroups) return false;
  const std::uint32_t needed = times_needed(groups_.size());
  if (needed == 1) return true;
  const std::uint64_t hash = base::hash64(name, 0);
  Newcomer& newcomer = newcomers_[hash % newcomers_.size()];
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  if (newcomer.tag != tag) newcomer = {.tag = tag};
  return ++newcomer.times >= needed;
}

// 1 for the first half, then 2, 4, ... 256 for an eighth of the rest each.
std::uint32_t GroupTable::times_needed(std::size_t given) noexcept {
  constexpr std::size_t kFree = kMaxGroups / 2;
  constexpr std::size_t kStep = kFree / 8;
  return given < kFree ? 1 : 2U << ((given - kFree) / kStep);
}

}  // namespace vcache::metrics
