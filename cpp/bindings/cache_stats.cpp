#include <algorithm>

#include "bindings/access_calls.hpp"
#include "bindings/bind_learning.hpp"
#include "bindings/cache_calls.hpp"
#include "bindings/gil.hpp"
#include "bindings/views.hpp"

namespace vcache::bindings {

namespace {

using cache::Tier;

constexpr std::size_t kMaxGroupsShown = 64;
constexpr std::array<const char*, 3> kTierNames = {"source", "memory", "redis"};

py::dict latency_of(Core& core) {
  py::dict out;
  for (std::size_t o = 0; o < cache::kOperations; ++o) {
    py::dict tiers;
    for (std::size_t t = 0; t < kTierNames.size(); ++t) {
      const auto& histogram =
          core.cache.counters().histogram(static_cast<cache::Operation>(o), static_cast<Tier>(t));
      const metrics::Percentiles p = histogram.percentiles();
      if (p.count == 0) continue;
      using py::literals::operator""_a;
      tiers[kTierNames[t]] =
          py::dict("p50"_a = p.p50, "p95"_a = p.p95, "p99"_a = p.p99, "count"_a = p.count);
    }
    if (!tiers.empty()) out[cache::kOperationNames[o]] = tiers;
  }
  return out;
}

struct Group {
  std::string name;
  cache::GroupTally tally;

  [[nodiscard]] std::int64_t requests() const noexcept {
    return tally.memory_hits + tally.redis_hits + tally.misses;
  }
};

void add(cache::GroupTally& sum, const cache::GroupTally& part) noexcept {
  sum.memory_hits += part.memory_hits;
  sum.redis_hits += part.redis_hits;
  sum.misses += part.misses;
}

// The busiest groups, the rest added up in "other".
std::vector<Group> busiest(std::vector<Group> groups) {
  Group other = std::move(groups.front());
  groups.erase(groups.begin());
  std::erase_if(groups, [](const Group& group) { return group.requests() == 0; });
  std::ranges::sort(groups, std::ranges::greater{}, &Group::requests);
  while (groups.size() > kMaxGroupsShown) {
    add(other.tally, groups.back().tally);
    groups.pop_back();
  }
  if (other.requests() > 0) groups.push_back(std::move(other));
  return groups;
}

std::vector<Group> groups_of(Core& core, const cache::Counters::Snapshot& counted,
                             const l1::ShardStats& memory) {
  std::vector<Group> groups;
  const std::vector<std::string> names = core.cache.groups().names();
  for (std::size_t id = 0; id < names.size(); ++id) {
    Group group{.name = names[id], .tally = {}};
    if (id < counted.groups.size()) group.tally = counted.groups[id];
    if (id < memory.group_hits.size()) {
      group.tally.memory_hits += static_cast<std::int64_t>(memory.group_hits[id]);
    }
    groups.push_back(std::move(group));
  }
  return busiest(std::move(groups));
}

py::object text_of(const std::string& name) {
  PyObject* text =
      PyUnicode_DecodeUTF8(name.data(), static_cast<Py_ssize_t>(name.size()), "backslashreplace");
  if (text == nullptr) throw PythonError();
  return py::reinterpret_steal<py::object>(text);
}

py::dict group_dict(const std::vector<Group>& groups) {
  using py::literals::operator""_a;
  py::dict out;
  for (const Group& group : groups) {
    out[text_of(group.name)] =
        py::dict("memory_hits"_a = group.tally.memory_hits, "redis_hits"_a = group.tally.redis_hits,
                 "misses"_a = group.tally.misses);
  }
  return out;
}

py::object redis_of(Core& core) {
  if (!core.cache.has_redis()) return py::none();
  l2::Status status;
  {
    const GilRelease released;
    status = core.cache.redis().status(false);
  }
  if (core.cache.redis().has_news()) log_news(core.cache.redis());
  using py::literals::operator""_a;
  return py::dict("breaker"_a = status.breaker, "breakers"_a = status.breakers,
                  "openings"_a = status.openings, "errors"_a = status.errors,
                  "server"_a = status.server, "connections"_a = status.connections,
                  "coherence"_a = status.coherence, "waiting"_a = status.waiting,
                  "recovered"_a = status.recovered, "dropped"_a = status.dropped);
}

py::object tier_health(bool ok, double seconds, const std::string& error) {
  return py::make_tuple(ok, seconds, error);
}

}  // namespace

py::dict stats(Core& core) {
  using py::literals::operator""_a;
  release_idle_views();
  tell_of_log(core);
  const l1::ShardStats memory = core.cache.memory().stats();
  const cache::Counters::Snapshot counted = core.cache.counters().snapshot();
  const cache::Tally& total = counted.total;
  const std::int64_t memory_hits = static_cast<std::int64_t>(memory.hits) + total.memory_hits;
  const auto stood_in = static_cast<std::int64_t>(memory.stale);  // Redis was not asked
  return py::dict(
      "memory_hits"_a = memory_hits, "redis_hits"_a = total.redis_hits, "misses"_a = total.misses,
      "coalesced"_a = total.coalesced, "stale_served"_a = total.stale_served + stood_in,
      "mismatch"_a = total.mismatch, "pinned_bytes"_a = memory.pinned_bytes,
      "source_calls"_a = total.source_calls, "source_seconds"_a = total.source_seconds,
      "evictions"_a = memory.evictions,
      "expired"_a = static_cast<std::int64_t>(memory.expired) + total.expired,
      "declined"_a = static_cast<std::int64_t>(memory.declined) + total.declined,
      "errors"_a = total.errors, "skipped"_a = total.skipped + stood_in,
      "entries"_a = memory.entries, "memory_bytes"_a = memory.memory_bytes,
      "memory_limit"_a = core.cache.memory().limit_bytes(),
      "cost_saved"_a = memory.cost_saved + total.cost_saved,
      "seconds_saved"_a = memory.seconds_saved + total.seconds_saved,
      "latency"_a = latency_of(core), "groups"_a = group_dict(groups_of(core, counted, memory)),
      "policy"_a =
          py::dict("active"_a = core.cache.memory().policy_name(),
                   "shards"_a = core.cache.memory().shard_count(), "bytes"_a = memory.learned_bytes,
                   "unprepared"_a = memory.unprepared, "dropped"_a = memory.dropped),
      "learning"_a = learning_of(core), "redis"_a = redis_of(core),
      "access_log"_a = access_counts(core));
}

py::dict health(Core& core) {
  cache::Probe probe;
  {
    const GilRelease released;
    probe = core.cache.probe();
  }
  raise_pending();
  py::dict out;
  out["memory"] = py::none();
  out["redis"] = py::none();
  if (core.cache.memory().limit_bytes() > 0) {
    out["memory"] = tier_health(probe.memory_ok, probe.memory_seconds, "");
  }
  if (core.cache.has_redis()) {
    const std::string& error = probe.redis.error.detail;
    out["redis"] =
        tier_health(probe.redis.outcome == l2::Outcome::kHit, probe.redis_seconds, error);
  }
  return out;
}

}  // namespace vcache::bindings
