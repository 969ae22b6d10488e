#include "cache/counters.hpp"

#include <algorithm>

namespace vcache::cache {

Tally& Tally::operator+=(const Tally& other) noexcept {
  memory_hits += other.memory_hits;
  redis_hits += other.redis_hits;
  misses += other.misses;
  mismatch += other.mismatch;
  expired += other.expired;
  declined += other.declined;
  skipped += other.skipped;
  errors += other.errors;
  coalesced += other.coalesced;
  stale_served += other.stale_served;
  source_calls += other.source_calls;
  source_seconds += other.source_seconds;
  cost_saved += other.cost_saved;
  seconds_saved += other.seconds_saved;
  return *this;
}

void Counters::add(const Tally& tally) noexcept {
  const base::SpinLock lock(mutex_);
  total_ += tally;
}

void Counters::add(metrics::GroupId group, const Tally& tally) noexcept {
  const base::SpinLock lock(mutex_);
  total_ += tally;
  if (group >= groups_.size()) groups_.resize(group + 1U);
  groups_[group].memory_hits += tally.memory_hits;
  groups_[group].redis_hits += tally.redis_hits;
  groups_[group].misses += tally.misses;
}

Counters::Snapshot Counters::snapshot() const {
  const base::SpinLock lock(mutex_);
  return {.total = total_, .groups = groups_};
}

void GroupRuns::add(metrics::GroupId group, const Tally& tally) noexcept {
  if (group != group_) {
    counters_.add(group_, run_);
    run_ = {};
    group_ = group;
  }
  run_ += tally;
}

Tally failure_of(l2::Outcome outcome) noexcept {
  return {.skipped = outcome == l2::Outcome::kSkipped ? 1 : 0,
          .errors = outcome == l2::Outcome::kFailed ? 1 : 0};
}

Tally failures_of(std::span<const l2::Outcome> outcomes) noexcept {
  return {.skipped = std::ranges::count(outcomes, l2::Outcome::kSkipped),
          .errors = std::ranges::count(outcomes, l2::Outcome::kFailed)};
}

}  // namespace vcache::cache
