#include "metrics/group_table.hpp"

#include "base/hash.hpp"

namespace vcache::metrics {

std::string_view group_of(std::string_view key) noexcept {
  const std::size_t colon = key.find(':');
  return colon == std::string_view::npos ? std::string_view("-") : key.substr(0, colon);
}

GroupTable::GroupTable() { (void)add("other"); }

GroupId GroupTable::id_of(std::string_view key) {
  const std::string_view name = group_of(key);
  if (name.size() > kMaxName) return kOther;
  const Group* group = slot_of(name).load(std::memory_order_acquire);
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
  if (groups_.size() >= kMaxGroups) return kOther;
  groups_.push_back({.name = std::string(name), .id = static_cast<GroupId>(groups_.size())});
  slot.store(&groups_.back(), std::memory_order_release);
  return groups_.back().id;
}

}  // namespace vcache::metrics
