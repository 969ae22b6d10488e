#include "cache/tiered_cache.hpp"

#include <algorithm>
#include <array>
#include <random>

#include "cache/memory_first.hpp"
#include "cache/promotion.hpp"
#include "cache/row_sink.hpp"
#include "cache/vector_rows.hpp"

namespace vcache::cache {

namespace {

// No user key is empty, so probes meet none.
constexpr std::string_view kProbeKey = "";
constexpr base::Nanos kProbeLifetime = std::chrono::seconds(10);

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void prefetch_payload(const l1::Entry& entry) noexcept {
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kMost = 32 * kLine;  // the hardware follows from there
  const base::ByteView payload = entry.payload();
  const std::size_t size = std::min(payload.size(), kMost);
  for (std::size_t at = 0; at < size; at += kLine) __builtin_prefetch(payload.data() + at);
}

// A hit in Redis, or of what memory has unverified or kept for its grace.
Tally hit_beyond(const Located& located) noexcept {
  const l1::Costs costs = located.entry->costs();
  return {.memory_hits = located.tier == Tier::kMemory ? 1 : 0,
          .redis_hits = located.tier == Tier::kRedis ? 1 : 0,
          .stale_served = located.stale ? 1 : 0,
          .cost_saved = static_cast<double>(costs.cost),
          .seconds_saved = static_cast<double>(costs.seconds)};
}

std::uint64_t seed_of(const CacheOptions& options) {
  return options.memory.seed != 0 ? options.memory.seed : std::random_device{}();
}

l1::AnsweredBy answered_by(Tier tier) noexcept {
  return tier == Tier::kRedis ? l1::AnsweredBy::kRedis : l1::AnsweredBy::kMemory;
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

void TieredCache::count_miss(std::string_view key) {
  const metrics::GroupId group = groups_.id_of(key);
  counters_.add(group, {.misses = 1});
  record(key, group, {});
}

bool TieredCache::skip_redis(std::string_view key) {
  if (!redis_->skips(key) || memory_.peek_stale(key)) return false;
  const metrics::GroupId group = groups_.id_of(key);
  counters_.add(group, {.misses = 1, .skipped = 1});
  record(key, group, {});
  return true;
}

void TieredCache::count_stale(std::string_view key, Tier tier) {
  counters_.add(groups_.id_of(key), {.memory_hits = tier == Tier::kMemory ? 1 : 0,
                                     .redis_hits = tier == Tier::kRedis ? 1 : 0,
                                     .misses = -1,
                                     .stale_served = 1});
}

base::Error TieredCache::find_redis(std::string_view key, Located& out, Stale stale) {
  const std::array<std::uint32_t, 1> places{0};
  base::Error error;
  if (has_redis_) error = fetch({&key, 1}, places, {&out, 1}, stale);
  const metrics::GroupId group = groups_.id_of(key);
  counters_.add(group, out.entry ? hit_beyond(out) : Tally{.misses = 1});
  record(key, group, out);
  return error;
}

void TieredCache::record(std::string_view key, metrics::GroupId group, const Located& located) {
  if (!log_) return;
  l1::Access access{.group = group};
  if (located.entry) {
    access.size = static_cast<std::uint32_t>(located.entry->block_bytes());
    access.cost = located.entry->costs().cost;
    access.tier = answered_by(located.tier);
  }
  memory_.record(key, access);
}

void TieredCache::record_rows(std::span<const std::string_view> keys, const RowSink& sink) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    memory_.record(keys[i], sink.access(keys[i], groups_.id_of(keys[i]), i));
  }
}

base::Error TieredCache::find_many(std::span<const std::string_view> keys, std::span<Located> out,
                                   Stale stale) {
  std::vector<l1::EntryRef> found(keys.size());
  const bool unverified = find_many_in_memory(keys, found, stale);
  std::vector<std::uint32_t> missing;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (found[i]) {
      out[i] = {.entry = std::move(found[i]), .tier = Tier::kMemory, .stale = unverified};
    } else {
      missing.push_back(static_cast<std::uint32_t>(i));
    }
  }
  return missing.empty() ? base::Error{} : find_missing(keys, missing, out, stale);
}

bool TieredCache::find_many_in_memory(std::span<const std::string_view> keys,
                                      std::span<l1::EntryRef> out, Stale stale) {
  const bool unverified = stale != Stale::kNever && memory_stands_in();
  unverified ? memory_.find_many_unverified(keys, out) : memory_.find_many(keys, out);
  return unverified;
}

l1::EntryRef TieredCache::peek_memory(std::string_view key) {
  return memory_stands_in() ? memory_.peek_stale(key) : memory_.peek(key);
}

base::Error TieredCache::find_again(std::span<const std::string_view> keys, std::span<Located> out,
                                    Stale stale) {
  std::vector<std::uint32_t> missing;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    out[i].entry = memory_.peek(keys[i]);
    if (!out[i].entry) missing.push_back(static_cast<std::uint32_t>(i));
    if (out[i].entry) out[i].tier = Tier::kMemory;
  }
  if (missing.empty()) return {};
  if (has_redis_) return fetch(keys, missing, out, stale);
  if (stale != Stale::kAny) return {};
  for (const std::uint32_t i : missing) {
    l1::EntryRef entry = memory_.peek_stale(keys[i]);
    if (entry) out[i] = {.entry = std::move(entry), .tier = Tier::kMemory, .stale = true};
  }
  return {};
}

base::Error TieredCache::find_missing(std::span<const std::string_view> keys,
                                      std::span<const std::uint32_t> places, std::span<Located> out,
                                      Stale stale) {
  base::Error error;
  if (has_redis_) error = fetch(keys, places, out, stale);
  GroupRuns runs(counters_);
  for (const std::uint32_t i : places) {
    const bool found = static_cast<bool>(out[i].entry);
    const metrics::GroupId group = found ? out[i].entry->group : groups_.id_of(keys[i]);
    runs.add(group, found ? hit_beyond(out[i]) : Tally{.misses = 1});
    record(keys[i], group, out[i]);
  }
  return error;
}

base::Error TieredCache::get_vectors(std::span<const std::string_view> keys, const VectorRows& rows,
                                     Tier& slowest) {
  if (reads_rows_from_redis()) {
    slowest = Tier::kRedis;
    base::Error error;
    (void)fetch_rows(keys, rows, error, true);
    return error;
  }
  thread_local std::vector<l1::EntryRef> scratch;
  std::vector<l1::EntryRef>& found = scratch;
  found.clear();  // what a failed call left
  found.resize(keys.size());
  (void)find_many_in_memory(keys, found, Stale::kUnanswered);
  std::vector<std::uint32_t> missing;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i + 1 < keys.size() && found[i + 1]) prefetch_payload(*found[i + 1]);
    if (!found[i]) {
      missing.push_back(static_cast<std::uint32_t>(i));
      continue;
    }
    const l1::Entry& entry = *found[i];
    fits(entry, rows) ? copy_row(entry.payload(), rows, i)
                      : refuse_row(entry, Tier::kMemory, rows, i);
  }
  found.clear();  // at once: between copies, each release would wait for the stores before it
  slowest = missing.empty() || !has_redis_ ? Tier::kMemory : Tier::kRedis;
  if (missing.empty()) return {};
  std::vector<Located> located(keys.size());
  base::Error error = find_missing(keys, missing, located, Stale::kUnanswered);
  for (const std::uint32_t i : missing) gather_row(located[i], rows, i);
  return error;
}

bool TieredCache::fetch_rows(std::span<const std::string_view> keys, const VectorRows& rows,
                             base::Error& error, bool even_if_uneven) {
  RowSink sink(rows, keys.size(), memory_.tags());
  error = redis_->fetch(keys, sink);
  if (sink.met_mismatch() && !even_if_uneven) return false;
  sink.count(keys, groups_, counters_);
  if (log_) record_rows(keys, sink);
  return true;
}

void TieredCache::gather(std::span<const Located> located, const VectorRows& rows) {
  for (std::size_t i = 0; i < located.size(); ++i) gather_row(located[i], rows, i);
}

void TieredCache::gather_row(const Located& from, const VectorRows& rows, std::size_t place) {
  if (!from.entry) {
    clear_row(rows, place);
  } else if (fits(*from.entry, rows)) {
    copy_row(from.entry->payload(), rows, place);
  } else {
    refuse_row(*from.entry, from.tier, rows, place);
  }
}

// What was counted as a hit is a miss for this caller.
void TieredCache::refuse_row(const l1::Entry& entry, Tier tier, const VectorRows& rows,
                             std::size_t place) {
  clear_row(rows, place);
  const l1::Costs costs = entry.costs();
  counters_.add(entry.group, {.memory_hits = tier == Tier::kMemory ? -1 : 0,
                              .redis_hits = tier == Tier::kRedis ? -1 : 0,
                              .misses = 1,
                              .mismatch = 1,
                              .cost_saved = -static_cast<double>(costs.cost),
                              .seconds_saved = -static_cast<double>(costs.seconds)});
}

// The stamp first: an invalidation between the two ends the copy in Redis, which is a miss too
// many.
base::Error TieredCache::begin(std::span<const std::string_view> tags, const Lifetimes& lifetimes,
                               base::Moment& made) {
  base::Error error;
  if (has_redis_) error = redis_->take_stamp(tags, to_redis(lifetimes.ttl), made.shared);
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
    memory_.insert(keys[i], values[i], in_memory(jitter_(lifetimes)), made);
  }
  return {};
}

base::Error TieredCache::put_both(std::span<const std::string_view> keys,
                                  std::span<const base::ValueView> values,
                                  const Lifetimes& lifetimes, const base::Moment& made) {
  WriteMark mark(fills_, keys);
  MemoryFirst writes(memory_, admission_, jitter_, lifetimes, made, keys, values);
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
  found = memory_.touch(key, in_memory(lifetimes));
  if (!has_redis_) return {};
  l2::Outcome outcome = l2::Outcome::kSkipped;
  base::Error error = redis_->touch(key, to_redis(lifetimes.ttl), outcome);
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

base::Error TieredCache::fetch(std::span<const std::string_view> keys,
                               std::span<const std::uint32_t> places, std::span<Located> out,
                               Stale stale) {
  std::vector<std::string_view> wanted;
  wanted.reserve(places.size());
  for (const std::uint32_t place : places) wanted.push_back(keys[place]);
  Promotion promotion({.memory = memory_,
                       .fills = fills_,
                       .admission = admission_,
                       .jitter = jitter_,
                       .memory_ttl = options_.memory_ttl,
                       .stale = stale},
                      wanted, places, out);
  base::Error error = redis_->fetch(wanted, promotion);
  counters_.add(promotion.tally());
  return promotion.unanswered() ? std::move(error) : base::Error{};
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
