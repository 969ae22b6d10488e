#include "similar/dot_rows.hpp"

#include <cstring>

namespace vcache::similar {

namespace {

// A register of floats, and its products added up.
template <std::size_t kLanes>
struct Sum {
  using Floats [[gnu::vector_size(kLanes * sizeof(float))]] = float;

  [[gnu::always_inline]] void add(const float* left, const float* right) noexcept {
    Floats a;
    Floats b;
    std::memcpy(&a, left, sizeof(a));
    std::memcpy(&b, right, sizeof(b));
    lanes += a * b;
  }

  Floats lanes{};
};

// Four sums, so that no addition waits for the one before it.
template <std::size_t kLanes>
[[gnu::always_inline]] inline float dot(const float* row, const float* query,
                                        std::size_t width) noexcept {
  Sum<kLanes> first;
  Sum<kLanes> second;
  Sum<kLanes> third;
  Sum<kLanes> fourth;
  for (const float* end = row + width; row != end; row += 4 * kLanes, query += 4 * kLanes) {
    first.add(row, query);
    second.add(row + kLanes, query + kLanes);
    third.add(row + 2 * kLanes, query + 2 * kLanes);
    fourth.add(row + 3 * kLanes, query + 3 * kLanes);
  }
  const auto all = (first.lanes + second.lanes) + (third.lanes + fourth.lanes);
  float total = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) total += all[lane];
  return total;
}

template <std::size_t kLanes>
[[gnu::always_inline]] inline void dot_all(const float* rows, std::size_t count, std::size_t width,
                                           const float* query, float* out) noexcept {
  for (std::size_t i = 0; i < count; ++i) out[i] = dot<kLanes>(rows + i * width, query, width);
}

#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] void dot_rows_by_avx2(const float* rows, std::size_t count,
                                                  std::size_t width, const float* query,
                                                  float* out) noexcept {
  dot_all<8>(rows, count, width, query, out);
}

[[gnu::target("avx512f")]] void dot_rows_by_avx512(const float* rows, std::size_t count,
                                                   std::size_t width, const float* query,
                                                   float* out) noexcept {
  dot_all<16>(rows, count, width, query, out);
}

using DotRows = void (*)(const float*, std::size_t, std::size_t, const float*, float*) noexcept;

DotRows best_here() noexcept {
  if (__builtin_cpu_supports("avx512f")) return dot_rows_by_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return dot_rows_by_avx2;
  return dot_rows_by_baseline;
}
#endif

}  // namespace

void dot_rows_by_baseline(const float* rows, std::size_t count, std::size_t width,
                          const float* query, float* out) noexcept {
  dot_all<4>(rows, count, width, query, out);
}

void dot_rows(const float* rows, std::size_t count, std::size_t width, const float* query,
              float* out) noexcept {
#if defined(__x86_64__)
  static const DotRows best = best_here();
  return best(rows, count, width, query, out);
#else
  return dot_rows_by_baseline(rows, count, width, query, out);
#endif
}

}  // namespace vcache::similar
