#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/tags.hpp"
#include "base/value.hpp"
#include "l1/entry.hpp"
#include "l1/policy/standing.hpp"
#include "l1/tag_marks.hpp"

namespace vcache::l1 {

// An entry's place in a cache, until it leaves.
struct Placed {
  std::size_t shard = 0;
  policy::Ranked entry = {};
};

// An entry that was found by its place; empty: it is gone. Its hits change as long as it is held.
struct Pinned {
  EntryRef entry = {};
  std::uint32_t hits = 0;
};

// All entries of a cache, the first of them the last to leave if none were accessed again; of
// several shards the same share of each at a time. 16 bytes an entry.
class Tour {
 public:
  // By shard.
  explicit Tour(std::vector<std::vector<policy::Ranked>> ranked)
      : ranked_(std::move(ranked)), next_(ranked_.size()) {}
  // None after the last.
  [[nodiscard]] std::optional<Placed> next() noexcept;

 private:
  std::vector<std::vector<policy::Ranked>> ranked_;
  std::vector<std::size_t> next_;
};

// How an entry was kept elsewhere, beside its key and its value.
struct Kept {
  base::Nanos age{0};                          // since the value was made
  base::Nanos lifetime = base::Nanos::max();   // what is left of it; max: no end
  base::Nanos longest{0};                      // as L1Cache::insert() has it
  std::span<const TagMarks::Mark> marks = {};  // of its tags, where `value` has none
  base::Moment made = {};
  policy::Standing standing = {};
  std::uint32_t hits = 0;
  bool is_verified = true;
  bool is_from_redis = false;
};

// What became of an entry that was to be taken over.
enum class Restored : std::uint8_t {
  kStored,
  kNewer,   // memory had one under its key that was made no earlier
  kNoRoom,  // nothing is evicted for it
  kVoid,    // its time, a tag or the gate has ended it
};

}  // namespace vcache::l1
