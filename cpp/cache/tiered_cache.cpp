#include "cache/tiered_cache.hpp"

#include <algorithm>
#include <array>
#include <random>

#include "cache/memory_first.hpp"

namespace vcache::cache {

namespace {

// No user key is empty, so probes meet none.
constexpr std::string_view kProbeKey = "";
constexpr base::Nanos kProbeLifetime = std::chrono::seconds(10);

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::uint64_t seed_of(const CacheOptions& options) {
  return options.memory.seed != 0 ? options.memory.seed : std::random_device{}();
}

std::unique_ptr<l1::AccessLog> make_log(const l1::AccessLogOptions& options, std::size_t shards,
                                        const base::Clock& clock,
                                        const metrics::GroupTable& groups) {
  if (options.file.path.empty()) return nullptr;
  return std::make_unique<l1::AccessLog>(options, shards, clock, groups);
}

l1::L1Options memory_options(const CacheOptions& options) {
  l1::L1Options memory = options.memory;
  memory.grace = options.grace;
  if (options.adaptive_ttl) memory.ttl_by_use = options.adaptive_ttl->memory;
  return memory;
}

}  // namespace

TieredCache::TieredCache(CacheOptions options, std::unique_ptr<l2::L2> redis, bool has_redis,
                         const base::Clock& clock)
    : TieredCache(
          std::move(options), [&redis](l2::Listener&) { return std::move(redis); }, has_redis,
          clock) {}

TieredCache::TieredCache(CacheOptions options, const MakeL2& make_redis, bool has_redis,
                         const base::Clock& clock)
    : options_(std::move(options)),
      has_redis_(has_redis),
      memory_(memory_options(options_), clock, groups_),
      log_(make_log(options_.access_log, memory_.shard_count(), clock, groups_)),
      redis_(make_redis(coherence_)),
      admission_(options_, seed_of(options_)),
      jitter_(options_.jitter, seed_of(options_)) {
  if (log_) memory_.record_in(*log_);
}

// The stamp first: an invalidation between the two ends the copy in Redis, which is a miss too
// many.
base::Error TieredCache::begin(std::span<const std::string_view> tags, const Lifetimes& lifetimes,
                               base::Moment& made) {
  base::Error error;
  if (has_redis_) error = redis_->take_stamp(tags, to_redis(ttls_.longest(lifetimes)), made.shared);
  made.here = memory_.tags().now();
  return error;
}

base::Error TieredCache::put(std::string_view key, const base::ValueView& value,
                             const Lifetimes& lifetimes, const base::Moment& made) {
  return put_many({&key, 1}, {&value, 1}, lifetimes, made);
}

base::Error TieredCache::put_many(std::span<const std::string_view> keys,
                                  std::span<const base::ValueView> values,
                                  const Lifetimes& lifetimes, const base::Moment& made) {
  if (has_redis_) return put_both(keys, values, lifetimes, made);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Lifetimes mine = ttls_(keys[i], lifetimes);
    memory_.insert(keys[i], values[i], in_memory(mine), made, longest_in_memory(mine));
  }
  return {};
}

base::Error TieredCache::put_both(std::span<const std::string_view> keys,
                                  std::span<const base::ValueView> values,
                                  const Lifetimes& lifetimes, const base::Moment& made) {
  WriteMark mark(fills_, keys);
  MemoryFirst writes(memory_, admission_, ttls_, lifetimes, made, keys, values);
  std::vector<l2::Outcome> outcomes(keys.size(), l2::Outcome::kSkipped);
  base::Error error = redis_->store(writes, outcomes);
  writes.finish();
  Tally tally = failures_of(outcomes);
  tally.declined = writes.declined();
  counters_.add(tally);
  drop_from_memory(mark.finish());
  return error;
}

void TieredCache::drop_from_memory(std::span<const std::string_view> keys) {
  for (const std::string_view key : keys) memory_.erase(key);
}

base::Error TieredCache::erase(std::span<const std::string_view> keys, std::size_t& erased) {
  WriteMark mark(fills_, keys);
  std::vector<l2::Outcome> outcomes(keys.size(), l2::Outcome::kMiss);
  base::Error error;
  if (has_redis_) error = redis_->erase(keys, outcomes);
  erased = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool in_memory = memory_.erase(keys[i]);
    erased += in_memory || outcomes[i] == l2::Outcome::kHit ? 1 : 0;
  }
  counters_.add(failures_of(outcomes));
  drop_from_memory(mark.finish());
  return error;
}

base::Error TieredCache::touch(std::string_view key, const Lifetimes& lifetimes, bool& found) {
  const Lifetimes mine = ttls_.by_use(key, lifetimes);
  found = memory_.touch(key, in_memory(mine), longest_in_memory(mine));
  if (!has_redis_) return {};
  l2::Outcome outcome = l2::Outcome::kSkipped;
  base::Error error = redis_->touch(key, to_redis(mine.ttl), outcome);
  counters_.add(failure_of(outcome));
  found |= outcome == l2::Outcome::kHit;
  return error;
}

base::Error TieredCache::contains(std::string_view key, bool& found) {
  found = static_cast<bool>(memory_.peek(key));
  if (found || !has_redis_) return {};
  l2::Outcome outcome = l2::Outcome::kSkipped;
  base::Error error = redis_->touch(key, base::Millis{-1}, outcome);
  counters_.add(failure_of(outcome));
  found = outcome == l2::Outcome::kHit;
  const bool answered = outcome == l2::Outcome::kMiss || outcome == l2::Outcome::kExpired;
  if (!found && !answered) found = static_cast<bool>(memory_.peek_stale(key));
  return error;
}

base::Error TieredCache::clear() {
  base::Error error;
  if (has_redis_) error = redis_->clear();
  if (!error.ok()) counters_.add(failure_of(l2::outcome_of(error.code)));
  fills_.void_all();
  memory_.clear();
  return error;
}

// Redis first: what is fetched after that is judged by it, and what was fetched before ends here.
base::Error TieredCache::invalidate_tags(std::span<const std::string_view> tags) {
  base::Error error;
  if (has_redis_) error = redis_->invalidate_tags(tags);
  if (!error.ok()) counters_.add(failure_of(l2::outcome_of(error.code)));
  memory_.tags().invalidate(tags);
  return error;
}

base::Error TieredCache::invalidate(std::string_view pattern, std::size_t& erased) {
  std::vector<std::string> keys;
  base::Error error;
  l2::L2::Progress progress;
  if (has_redis_) error = redis_->erase_matching(pattern, keys, progress);
  if (!error.ok()) counters_.add(failure_of(l2::outcome_of(error.code)));
  fills_.void_all();
  memory_.erase_matching(pattern, keys);
  std::ranges::sort(keys);
  // clang 14 cannot compile the ranges form with this library.
  const auto end = std::unique(keys.begin(), keys.end());  // NOLINT(modernize-use-ranges)
  erased = static_cast<std::size_t>(end - keys.begin());
  return error;
}

Probe TieredCache::probe() {
  Probe probe;
  auto start = std::chrono::steady_clock::now();
  const std::array<std::byte, 8> payload{};
  const base::ValueView value{.payload = payload};
  if (memory_.limit_bytes() > 0) {
    probe.memory_ok = memory_.insert(kProbeKey, value, kProbeLifetime) && memory_.erase(kProbeKey);
  }
  probe.memory_seconds = seconds_since(start);
  start = std::chrono::steady_clock::now();
  probe.redis = redis_->status(true);
  probe.redis_seconds = seconds_since(start);
  return probe;
}

void TieredCache::close() noexcept {
  redis_->close();
  memory_.close();
  memory_.clear();
  if (log_) log_->close();
}

// The tier beyond memory sees to its own connections.
void TieredCache::before_fork() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS {
  memory_.lock_all();
  if (log_) log_->before_fork();
  groups_.lock();
  counters_.lock();
}

void TieredCache::after_fork_in_parent() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS {
  counters_.unlock();
  groups_.unlock();
  if (log_) log_->after_fork_in_parent();
  memory_.unlock_all();
}

void TieredCache::after_fork_in_child() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS {
  fills_.forget_all();
  memory_.on_child();
  counters_.unlock();
  groups_.unlock();
  if (log_) log_->after_fork_in_child();
  memory_.unlock_all();
}

}  // namespace vcache::cache
