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

// The part of `key` before its first ':'; "-" without one, so that no raw key becomes a label, and
// where it is not text (UTF-8 without control characters), as in binary digests.
[[nodiscard]] std::string_view group_of(std::string_view key) noexcept;

// Gives key groups small numbers, for ever: entries keep them. Bounded: past kMaxGroups, and for
// names over kMaxName bytes, all share the group "other". Half of the numbers go to the first names
// that come; the others to names that came again lately, the oftener the fewer are left, so that
// names of one or two requests do not use them up. Until a name has its number, it counts as
// "other". Thread-safe; a known group is found without a lock.
class GroupTable {
 public:
  static constexpr std::size_t kMaxGroups = 1024;
  static constexpr std::size_t kMaxName = 64;
  static constexpr GroupId kOther = 0;

  GroupTable();

  [[nodiscard]] GroupId id_of(std::string_view key);
  // By GroupId.
  [[nodiscard]] std::vector<std::string> names() const;

  // Keeps other threads from adding groups; for a fork.
  void lock() VCACHE_ACQUIRE(mutex_) { mutex_.lock(); }
  void unlock() VCACHE_RELEASE(mutex_) { mutex_.unlock(); }

 private:
  struct Group {
    std::string name;
    GroupId id;
  };
  // How often a name without a number came; another name of the same place starts anew.
  struct Newcomer {
    std::uint32_t tag = 0;
    std::uint32_t times = 0;
  };
  static constexpr std::size_t kSlots = 2 * kMaxGroups;

  // How often a name has to come before it gets one of the numbers left.
  [[nodiscard]] static std::uint32_t times_needed(std::size_t given) noexcept;

  // The group of that name, or nullptr.
  [[nodiscard]] const Group* find(std::string_view name) noexcept {
    return slot_of(name).load(std::memory_order_acquire);
  }
  // The slot that holds `name`, or the empty one where it belongs.
  [[nodiscard]] std::atomic<const Group*>& slot_of(std::string_view name) noexcept;
  [[nodiscard]] GroupId add(std::string_view name) VCACHE_EXCLUDES(mutex_);
  // Counts one more coming of a name without a number; true when it is to get one.
  [[nodiscard]] bool admit(std::string_view name) VCACHE_REQUIRES(mutex_);

  std::array<std::atomic<const Group*>, kSlots> slots_{};  // filled under mutex_, read without
  mutable base::SpinMutex mutex_;
  std::deque<Group> groups_ VCACHE_GUARDED_BY(mutex_);
  std::array<Newcomer, kMaxGroups> newcomers_ VCACHE_GUARDED_BY(mutex_){};
};

}  // namespace vcache::metrics
