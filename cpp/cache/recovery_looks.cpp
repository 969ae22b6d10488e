#include <algorithm>

#include "base/guarded.hpp"
#include "cache/recovery.hpp"

// What is there, for a tier of which some writes wait.
namespace vcache::cache {

using base::guarded;
using l2::Outcome;

base::Error Recovery::look(std::span<const std::string_view> keys,
                           std::span<Outcome> outcomes) noexcept {
  if (pending_.empty() && !patterns_.any()) return tier_->look(keys, outcomes);
  see_to_it();
  return guarded([&] { return look_rest(keys, outcomes); });
}

base::Error Recovery::look_rest(std::span<const std::string_view> keys,
                                std::span<Outcome> outcomes) {
  std::vector<std::string_view> rest;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (const PendingRef waiting = find_waiting(keys[i])) {
      outcomes[i] = waiting->kind == Pending::Kind::kValue ? Outcome::kHit : Outcome::kMiss;
      continue;
    }
    rest.push_back(keys[i]);
    places.push_back(i);
  }
  std::vector<Outcome> looked(rest.size(), Outcome::kSkipped);
  base::Error error = tier_->look(rest, looked);
  for (std::size_t i = 0; i < places.size(); ++i) outcomes[places[i]] = looked[i];
  return error;
}

base::Error Recovery::list(std::string_view pattern, Page& page) noexcept {
  if (pending_.empty() && !patterns_.any()) return tier_->list(pattern, page);
  see_to_it();
  return guarded([&] { return list_rest(pattern, page); });
}

// Values that wait come with the last step, and where the tier has no answer, so that those who do
// without it have them.
base::Error Recovery::list_rest(std::string_view pattern, Page& page) {
  base::Error error = tier_->list(pattern, page);
  std::erase_if(page.keys, [this](const std::string& key) {
    const PendingRef waiting = find_waiting(key);
    return waiting && waiting->kind != Pending::Kind::kValue;
  });
  if (page.is_last || !error.ok()) pending_.add_keys(pattern, page.keys);
  return error;
}

}  // namespace vcache::cache
