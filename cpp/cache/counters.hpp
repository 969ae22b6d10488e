#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/mutex.hpp"
#include "l2/l2.hpp"
#include "metrics/group_table.hpp"
#include "metrics/latency.hpp"

namespace vcache::cache {

// Where an answer came from.
enum class Tier : std::uint8_t { kNone, kMemory, kRedis };

enum class Operation : std::uint8_t { kGet, kSet, kMget, kMset, kGetVectors, kSetVectors, kSource };
inline constexpr std::size_t kOperations = 7;
inline constexpr std::array<const char*, kOperations> kOperationNames = {
    "get", "set", "mget", "mset", "get_vectors", "set_vectors", "source"};

// What L1 does not count itself. Signed: a hit in memory that turns out to be of another type is
// taken back as a negative one.
struct Tally {
  std::int64_t memory_hits = 0;
  std::int64_t redis_hits = 0;
  std::int64_t misses = 0;
  std::int64_t mismatch = 0;
  std::int64_t expired = 0;
  std::int64_t declined = 0;  // kept out of memory by the admission
  std::int64_t skipped = 0;
  std::int64_t errors = 0;
  std::int64_t coalesced = 0;
  std::int64_t stale_served = 0;
  std::int64_t source_calls = 0;
  double source_seconds = 0;
  double cost_saved = 0;
  double seconds_saved = 0;

  Tally& operator+=(const Tally& other) noexcept;
};

// Outcomes of the requests of one key group.
struct GroupTally {
  std::int64_t memory_hits = 0;
  std::int64_t redis_hits = 0;
  std::int64_t misses = 0;
};

// Counters of one cache. Thread-safe.
class Counters {
 public:
  struct Snapshot {
    Tally total;
    std::vector<GroupTally> groups;  // by GroupId
  };

  Counters() { groups_.reserve(metrics::GroupTable::kMaxGroups); }

  void add(const Tally& tally) noexcept VCACHE_EXCLUDES(mutex_);
  // Counts `tally` in the total and its hits and misses in the group as well.
  void add(metrics::GroupId group, const Tally& tally) noexcept VCACHE_EXCLUDES(mutex_);
  [[nodiscard]] Snapshot snapshot() const VCACHE_EXCLUDES(mutex_);

  // Keeps other threads out; for a fork.
  void lock() VCACHE_ACQUIRE(mutex_) { mutex_.lock(); }
  void unlock() VCACHE_RELEASE(mutex_) { mutex_.unlock(); }

  void record(Operation operation, Tier tier, std::uint64_t nanos) noexcept {
    histogram(operation, tier).record(nanos);
  }
  [[nodiscard]] metrics::LatencyHistogram& histogram(Operation operation, Tier tier) noexcept {
    return latency_[static_cast<std::size_t>(operation)][static_cast<std::size_t>(tier)];
  }

 private:
  mutable base::SpinMutex mutex_;
  Tally total_ VCACHE_GUARDED_BY(mutex_);
  // With room for all from the start, so that counting never allocates.
  std::vector<GroupTally> groups_ VCACHE_GUARDED_BY(mutex_);
  // Own synchronization.
  std::array<std::array<metrics::LatencyHistogram, 3>, kOperations> latency_;
};

// Counts neighbours of one group in one step, the last ones with its destruction.
class GroupRuns {
 public:
  explicit GroupRuns(Counters& counters) noexcept : counters_(counters) {}
  ~GroupRuns() { counters_.add(group_, run_); }
  GroupRuns(const GroupRuns&) = delete;
  GroupRuns& operator=(const GroupRuns&) = delete;

  void add(metrics::GroupId group, const Tally& tally) noexcept;

 private:
  Counters& counters_;
  metrics::GroupId group_ = 0;
  Tally run_;
};

// What an outcome of L2 adds: skipped or failed.
[[nodiscard]] Tally failure_of(l2::Outcome outcome) noexcept;
// The same of many outcomes.
[[nodiscard]] Tally failures_of(std::span<const l2::Outcome> outcomes) noexcept;

}  // namespace vcache::cache
