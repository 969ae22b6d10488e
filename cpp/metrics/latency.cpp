#include "metrics/latency.hpp"

#include <algorithm>
#include <bit>

namespace vcache::metrics {

namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

std::size_t LatencyHistogram::bucket_of(std::uint64_t nanos) noexcept {
  if (nanos < kSteps) return nanos;
  const auto log = static_cast<std::size_t>(std::bit_width(nanos)) - 1;
  const std::size_t step = (nanos >> (log - 3)) & (kSteps - 1);
  return std::min((log - 2) * kSteps + step, kBuckets - 1);
}

double LatencyHistogram::middle_of(std::size_t bucket) noexcept {
  if (bucket < kSteps) return static_cast<double>(bucket);
  const std::size_t shift = bucket / kSteps - 1;
  const auto low = static_cast<double>((kSteps + bucket % kSteps) << shift);
  const auto width = static_cast<double>(std::uint64_t{1} << shift);
  return low + width / 2;
}

void LatencyHistogram::record(std::uint64_t nanos) noexcept {
  counts_[bucket_of(nanos)].fetch_add(1, kRelaxed);
  sum_nanos_.fetch_add(nanos, kRelaxed);
}

Percentiles LatencyHistogram::percentiles() const noexcept {
  std::array<std::uint64_t, kBuckets> counts;
  Percentiles out;
  for (std::size_t i = 0; i < kBuckets; ++i) out.count += counts[i] = counts_[i].load(kRelaxed);
  out.sum = static_cast<double>(sum_nanos_.load(kRelaxed)) / kNanosPerSecond;
  const auto value_at = [&](double share) {
    const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(out.count));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += counts[i];
      if (seen > rank) return middle_of(i) / kNanosPerSecond;
    }
    return 0.0;
  };
  if (out.count == 0) return out;
  out.p50 = value_at(0.50);
  out.p95 = value_at(0.95);
  out.p99 = value_at(0.99);
  return out;
}

}  // namespace vcache::metrics
