#include "cache/fill_guard.hpp"

#include <algorithm>

namespace vcache::cache {

// Stripes without writers are only read, so that the child goes on sharing their pages.
void FillGuard::forget_all() noexcept {
  for (auto& stripe : stripes_) {
    if (const std::uint64_t under_way = writers(stripe.load()); under_way != 0) {
      stripe.fetch_sub(under_way);
    }
  }
  void_all();
}

WriteMark::WriteMark(FillGuard& guard, std::span<const std::string_view> keys)
    : guard_(guard), keys_(keys) {
  stripes_.reserve(keys.size());
  for (const std::string_view key : keys) {
    stripes_.push_back(FillGuard::stripe_of(key));
  }
  std::ranges::sort(stripes_);
  // clang 14 cannot compile the ranges form with this library.
  stripes_.erase(std::unique(stripes_.begin(), stripes_.end()),  // NOLINT(modernize-use-ranges)
                 stripes_.end());
  for (const std::uint32_t stripe : stripes_) {
    if (!guard_.begin_write(stripe)) contested_.push_back(stripe);
  }
}

std::vector<std::string_view> WriteMark::finish() noexcept {
  for (const std::uint32_t stripe : stripes_) {
    if (!guard_.end_write(stripe)) contested_.push_back(stripe);
  }
  stripes_.clear();
  std::vector<std::string_view> keys;
  if (contested_.empty()) return keys;
  std::ranges::sort(contested_);
  for (const std::string_view key : keys_) {
    if (std::ranges::binary_search(contested_, FillGuard::stripe_of(key))) keys.push_back(key);
  }
  contested_.clear();
  return keys;
}

}  // namespace vcache::cache
