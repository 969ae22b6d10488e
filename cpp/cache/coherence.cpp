#include "cache/coherence.hpp"

namespace vcache::cache {

// In this order: a fill that was not stopped is in memory by now, or meets the mark.
void Coherence::on_keys_changed(std::span<const std::string_view> keys) noexcept {
  fills_.void_keys(keys);
  for (const std::string_view key : keys) memory_.erase(key);
}

void Coherence::on_stamps(std::span<const base::TagStamp> stamps) noexcept {
  for (const base::TagStamp& each : stamps) memory_.tags().learn(each);
}

void Coherence::on_leases_changed(std::span<const std::string_view> /*keys*/) noexcept {}

void Coherence::on_all_changed() noexcept {
  fills_.void_all();
  memory_.clear();
}

void Coherence::on_link_up() noexcept {
  if (limited_) memory_.limit_lifetimes(l1::kNoExpiry);
  limited_ = false;
  memory_.trust();
}

void Coherence::on_no_link() noexcept {
  limited_ = true;
  fills_.void_all();
  memory_.limit_lifetimes(kUntold);
  memory_.trust();
  if (!noticed_) notice_.store(true);
  noticed_ = true;
}

}  // namespace vcache::cache
