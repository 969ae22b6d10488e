#include "cache/round_numbers.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

namespace vcache::cache {

namespace {

constexpr std::array<double, kMaxPrecision + 1> kScales = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
// Below the first, adding the second leaves a double no place for a fraction: it rounds, to even.
constexpr double kLimit = 0x1p51;
constexpr double kMagic = 0x1.8p52;

template <std::size_t kLanes, class T>
struct Lanes {
  using Numbers [[gnu::vector_size(kLanes * sizeof(T))]] = T;
  using Doubles [[gnu::vector_size(kLanes * sizeof(double))]] = double;
  using Masks [[gnu::vector_size(kLanes * sizeof(double))]] = std::int64_t;
};

// Negative in each lane of a number that is too large or not finite: by its bits, since comparisons
// of doubles are not compiled to registers everywhere.
template <std::size_t kLanes, class T>
[[gnu::always_inline]] inline void note_wrong(const typename Lanes<kLanes, T>::Doubles& scaled,
                                              typename Lanes<kLanes, T>::Masks& wrong) noexcept {
  constexpr std::int64_t kMagnitude = std::numeric_limits<std::int64_t>::max();
  typename Lanes<kLanes, T>::Masks bits;
  std::memcpy(&bits, &scaled, sizeof(bits));
  wrong |= (std::bit_cast<std::int64_t>(kLimit) - 1) - (bits & kMagnitude);
}

template <std::size_t kLanes, class T>
[[gnu::always_inline]] inline bool round_all(const T* in, std::size_t count, double scale,
                                             double* out) noexcept {
  using Doubles = typename Lanes<kLanes, T>::Doubles;
  typename Lanes<kLanes, T>::Masks wrong{};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    typename Lanes<kLanes, T>::Numbers numbers;
    std::memcpy(&numbers, in + i, sizeof(numbers));
    const Doubles scaled = __builtin_convertvector(numbers, Doubles) * scale;
    note_wrong<kLanes, T>(scaled, wrong);
    const Doubles whole = (scaled + kMagic) - kMagic;
    const Doubles rounded = whole / scale + 0.0;
    std::memcpy(out + i, &rounded, sizeof(rounded));
  }
  bool is_wrong = false;
  for (std::size_t lane = 0; lane < kLanes; ++lane) is_wrong |= wrong[lane] < 0;
  for (; i < count; ++i) {
    const double scaled = static_cast<double>(in[i]) * scale;
    is_wrong |= !(scaled < kLimit && scaled > -kLimit);
    const double whole = (scaled + kMagic) - kMagic;
    out[i] = whole / scale + 0.0;
  }
  return !is_wrong;
}

#if defined(__x86_64__)
template <class T>
[[gnu::target("avx2")]] bool round_by_avx2(const T* in, std::size_t count, double scale,
                                           double* out) noexcept {
  return round_all<4>(in, count, scale, out);
}

template <class T>
[[gnu::target("avx512f,avx512dq")]] bool round_by_avx512(const T* in, std::size_t count,
                                                         double scale, double* out) noexcept {
  return round_all<8>(in, count, scale, out);
}
#endif

template <class T>
bool round_by_best(const T* in, std::size_t count, double scale, double* out) noexcept {
#if defined(__x86_64__)
  static const bool has_avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  if (has_avx512) return round_by_avx512(in, count, scale, out);
  if (has_avx2) return round_by_avx2(in, count, scale, out);
#endif
  return round_all<2>(in, count, scale, out);
}

}  // namespace

bool round_numbers(const float* in, std::size_t count, int precision, double* out) noexcept {
  return round_by_best(in, count, kScales.at(static_cast<std::size_t>(precision)), out);
}

bool round_numbers(const double* in, std::size_t count, int precision, double* out) noexcept {
  return round_by_best(in, count, kScales.at(static_cast<std::size_t>(precision)), out);
}

}  // namespace vcache::cache
