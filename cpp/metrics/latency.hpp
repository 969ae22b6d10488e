#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace vcache::metrics {

// p50, p95 and p99 in seconds, and how many durations they come from.
struct Percentiles {
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
  std::uint64_t count = 0;
  double sum = 0;
};

// Histogram of durations with eight buckets per power of two: a percentile is at most 1/16 off.
// record() is wait-free; thread-safe.
class LatencyHistogram {
 public:
  void record(std::uint64_t nanos) noexcept;
  [[nodiscard]] Percentiles percentiles() const noexcept;

 private:
  static constexpr std::size_t kSteps = 8;
  static constexpr std::size_t kBuckets = 40 * kSteps;

  [[nodiscard]] static std::size_t bucket_of(std::uint64_t nanos) noexcept;
  [[nodiscard]] static double middle_of(std::size_t bucket) noexcept;

  std::array<std::atomic<std::uint64_t>, kBuckets> counts_{};
  std::atomic<std::uint64_t> sum_nanos_{0};
};

}  // namespace vcache::metrics
