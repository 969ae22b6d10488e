#pragma once

#include <cstdint>
#include <string_view>

#include "bindings/core.hpp"
#include "bindings/values.hpp"

namespace vcache::bindings {

// Calls of one object; chooses which of them are timed. Guarded by the GIL.
struct CallCount {
  // One in 64: reading the clock twice would cost half a hit.
  static constexpr std::uint32_t kTimedShare = 64;

  std::uint32_t calls = 0;

  [[nodiscard]] bool is_timed(const Core& core) noexcept {
    return core.cache.options().metrics && (++calls & (kTimedShare - 1)) == 0;
  }
};

// The value under the key in memory for a reader who takes unverified ones, or does not.
inline PyObject* find_in_memory(Core& core, std::string_view key, cache::Stale stale) {
  if (l1::EntryRef entry = core.cache.find_memory(key)) return to_python(std::move(entry));
  if (stale == cache::Stale::kNever) return nullptr;
  l1::EntryRef entry = core.cache.find_unverified(key);
  return entry ? to_python(std::move(entry)) : nullptr;
}

// The value under the key in memory as a new reference, which counts a hit; nullptr on a miss, or
// with an exception set when the value cannot be decoded.
inline PyObject* hit_in_memory(Core& core, std::string_view key, CallCount& count,
                               cache::Stale stale) {
  if (!count.is_timed(core)) return find_in_memory(core, key, stale);
  Timer timer(core, cache::Operation::kGet);
  PyObject* value = find_in_memory(core, key, stale);
  timer.stop(cache::Tier::kMemory);
  return value;
}

}  // namespace vcache::bindings
