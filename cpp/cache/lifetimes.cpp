#include "cache/lifetimes.hpp"

#include <algorithm>

namespace vcache::cache {

namespace {

constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15U;

std::uint64_t mix(std::uint64_t x) noexcept {  // splitmix64's finalizer
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

Ttl shortened(const Ttl& ttl, double keep) noexcept {
  if (!ttl) return ttl;
  return base::Nanos(static_cast<base::Nanos::rep>(static_cast<double>(ttl->count()) * keep));
}

}  // namespace

base::Nanos in_memory(const Lifetimes& lifetimes) noexcept {
  return std::min(lifetimes.ttl.value_or(l1::kNoExpiry),
                  lifetimes.memory_ttl.value_or(l1::kNoExpiry));
}

base::Nanos longest_in_memory(const Lifetimes& lifetimes) noexcept {
  return lifetimes.memory_ttl_by_use ? lifetimes.ttl.value_or(l1::kNoExpiry) : l1::kFixed;
}

Lifetimes chosen(const Lifetimes& lifetimes, const AdaptiveTtl& adaptive,
                 std::uint32_t reads) noexcept {
  Lifetimes out = lifetimes;
  if (out.ttl_by_use) out.ttl = adaptive.of(reads);
  if (out.memory_ttl_by_use) out.memory_ttl = adaptive.memory.of(reads);
  return out;
}

base::Millis to_redis(const Ttl& ttl) noexcept {
  if (!ttl) return base::Millis{0};
  return std::max(std::chrono::ceil<base::Millis>(*ttl), base::Millis{1});
}

base::Millis grace_of(const CacheOptions& options) noexcept {
  return std::chrono::ceil<base::Millis>(options.grace);
}

Lifetimes Jitter::operator()(const Lifetimes& lifetimes) noexcept {
  if (share_ == 0) return lifetimes;
  const std::uint64_t bits = mix(state_.fetch_add(kStep, std::memory_order_relaxed));
  const double keep = 1 - static_cast<double>(bits >> 11) * 0x1p-53 * share_;
  Lifetimes out = lifetimes;
  out.ttl = shortened(lifetimes.ttl, keep);
  out.memory_ttl = shortened(lifetimes.memory_ttl, keep);
  return out;
}

}  // namespace vcache::cache
