#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.hpp"

namespace vcache::metrics {

// Index of a key group in a GroupTable.
using GroupId = std::uint16_t;

// The part of `key` before its first ':'; "-" without one, so that no raw key becomes a label.
[[nodiscard]] std::string_view group_of(std::string_view key) noexcept;

// Gives key groups small numbers, for ever. Bounded: past kMaxGroups, and for names over kMaxName
// bytes, all share the group "other". Thread-safe; a known group is found without a lock.
class GroupTable {
 public:
  static constexpr std::size_t kMaxGroups = 1024;
  static constexpr std::size_t kMaxName = 64;
  static constexpr GroupId kOther = 0;

  GroupTable();

  [[nodiscard]] GroupId id_of(std::string_view key);
  // By GroupId.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  struct Group {
    std::string name;
    GroupId id;
  };
  static constexpr std::size_t kSlots = 2 * kMaxGroups;

  // The slot that holds `name`, or the empty one where it belongs.
  [[nodiscard]] std::atomic<const Group*>& slot_of(std::string_view name) noexcept;
  [[nodiscard]] GroupId add(std::string_view name) VCACHE_EXCLUDES(mutex_);

  std::array<std::atomic<const Group*>, kSlots> slots_{};  // filled under mutex_, read without
  mutable base::SpinMutex mutex_;
  std::deque<Group> groups_ VCACHE_GUARDED_BY(mutex_);
};

}  // namespace vcache::metrics
