#include <algorithm>

#include "cache/promotion.hpp"
#include "cache/row_sink.hpp"
#include "cache/tiered_cache.hpp"
#include "cache/vector_rows.hpp"

// How a cache looks up, and what is counted and recorded of it.
namespace vcache::cache {

namespace {

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

l1::AnsweredBy answered_by(Tier tier) noexcept {
  return tier == Tier::kRedis ? l1::AnsweredBy::kRedis : l1::AnsweredBy::kMemory;
}

}  // namespace

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
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (rows.found[i]) memory_.count_read(keys[i]);
  }
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

base::Error TieredCache::fetch(std::span<const std::string_view> keys,
                               std::span<const std::uint32_t> places, std::span<Located> out,
                               Stale stale) {
  std::vector<std::string_view> wanted;
  wanted.reserve(places.size());
  for (const std::uint32_t place : places) wanted.push_back(keys[place]);
  Promotion promotion(
      {.memory = memory_, .fills = fills_, .admission = admission_, .ttls = ttls_, .stale = stale},
      wanted, places, out);
  base::Error error = redis_->fetch(wanted, promotion);
  counters_.add(promotion.tally());
  return promotion.unanswered() ? std::move(error) : base::Error{};
}

}  // namespace vcache::cache
