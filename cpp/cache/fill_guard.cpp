#include "cache/fill_guard.hpp"

#include <algorithm>
#include <utility>

namespace vcache::cache {

template <class Change>
std::uint64_t FillGuard::mark(std::uint32_t stripe, std::uint64_t sequence,
                              Change change) noexcept {
  std::uint64_t before = stripes_[stripe].load();
  std::uint64_t after = 0;
  do {
    const std::uint64_t last = std::max(last_of(before), sequence);
    after = (last << kSequenceShift) | change(writers(before));
  } while (!stripes_[stripe].compare_exchange_weak(before, after));
  return writers(before);
}

// Stripes without writers are only read, so that the child goes on sharing their pages.
void FillGuard::forget_all() noexcept {
  for (auto& stripe : stripes_) {
    if (const std::uint64_t under_way = writers(stripe.load()); under_way != 0) {
      stripe.fetch_sub(under_way);
    }
  }
  active_.store(0);
  void_all();
}

// The later of two calls at once may be the first to store its number.
void FillGuard::void_all() noexcept {
  const std::uint64_t sequence = sequence_.fetch_add(1) + 1;
  std::uint64_t last = void_until_.load();
  while (last < sequence && !void_until_.compare_exchange_weak(last, sequence)) {
  }
}

void FillGuard::void_keys(std::span<const std::string_view> keys) noexcept {
  const std::uint64_t sequence = sequence_.fetch_add(1) + 1;
  for (const std::string_view key : keys) {
    (void)mark(stripe_of(key), sequence, [](std::uint64_t count) { return count; });
  }
}

std::uint64_t FillGuard::mark_begin(std::uint32_t stripe, std::uint64_t sequence) noexcept {
  return mark(stripe, sequence, [](std::uint64_t count) { return count + 1; });
}

// Forgotten writes end as well.
std::uint64_t FillGuard::mark_end(std::uint32_t stripe, std::uint64_t sequence) noexcept {
  return mark(stripe, sequence, [](std::uint64_t count) { return count == 0 ? 0 : count - 1; });
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
  contested_.reserve(2 * stripes_.size());
  met_.reserve(keys.size());
  const std::uint64_t sequence = guard_.begin_write();
  for (const std::uint32_t stripe : stripes_) {
    if (guard_.mark_begin(stripe, sequence) != 0) contested_.push_back(stripe);
  }
}

std::vector<std::string_view> WriteMark::finish() noexcept {
  if (stripes_.empty()) return {};
  const std::uint64_t sequence = guard_.end_write();
  for (const std::uint32_t stripe : stripes_) {
    if (guard_.mark_end(stripe, sequence) != 1) contested_.push_back(stripe);
  }
  guard_.leave_write();
  stripes_.clear();
  if (contested_.empty()) return {};
  std::ranges::sort(contested_);
  for (const std::string_view key : keys_) {
    if (std::ranges::binary_search(contested_, FillGuard::stripe_of(key))) met_.push_back(key);
  }
  contested_.clear();
  return std::move(met_);
}

}  // namespace vcache::cache
