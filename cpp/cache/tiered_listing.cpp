#include "base/glob.hpp"
#include "cache/tiered_cache.hpp"

// Which keys a cache has.
namespace vcache::cache {

base::Error TieredCache::contains_many(std::span<const std::string_view> keys,
                                       std::span<bool> found) {
  std::vector<std::string_view> missing;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    found[i] = static_cast<bool>(memory_.peek(keys[i]));
    if (found[i]) continue;
    missing.push_back(keys[i]);
    places.push_back(i);
  }
  if (missing.empty() || !has_redis_) return {};
  std::vector<l2::Outcome> outcomes(missing.size(), l2::Outcome::kSkipped);
  base::Error error = redis_->look(missing, outcomes);
  counters_.add(failures_of(outcomes));
  for (std::size_t i = 0; i < places.size(); ++i) {
    found[places[i]] = l2::is_unanswered(outcomes[i])
                           ? static_cast<bool>(memory_.peek_stale(missing[i]))
                           : outcomes[i] == l2::Outcome::kHit;
  }
  return error;
}

// What is unverified is there where memory stands in for Redis, which else tells of it.
std::optional<l1::L1Cache::Place> TieredCache::list_memory(l1::L1Cache::Place place,
                                                           std::string_view prefix,
                                                           std::vector<std::string>& keys) const {
  const bool stands_in = memory_stands_in();
  if (memory_.in_doubt() && !stands_in) return std::nullopt;
  const auto next =
      memory_.live_keys(place, stands_in ? l1::Trust::kAny : l1::Trust::kVerified, prefix, keys);
  std::erase_if(keys, [](const std::string& key) { return key.empty(); });  // of a probe
  return next;
}

base::Error TieredCache::list_redis(std::string_view prefix, l2::L2::Page& page) {
  page.is_last = !has_redis_;
  if (!has_redis_) return {};
  base::Error error = redis_->list(base::glob_of_prefix(prefix), page);
  if (!error.ok()) counters_.add(failure_of(l2::outcome_of(error.code)));
  return error;
}

}  // namespace vcache::cache
