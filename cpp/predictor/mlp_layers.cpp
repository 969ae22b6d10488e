#include "predictor/mlp_layers.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <numbers>

namespace vcache::predictor {

namespace {

constexpr std::size_t kHidden = MlpLayers::kHidden;
constexpr std::size_t kPadded = MlpLayers::kPaddedHeads;
constexpr std::size_t kBlock = 8;  // rows that go through a layer together

// Of kLanes floats.
template <std::size_t kLanes>
struct Vectors {
  using Floats [[gnu::vector_size(kLanes * sizeof(float))]] = float;
  using Ints [[gnu::vector_size(kLanes * sizeof(float))]] = std::int32_t;
};

// Rows of vectors. A std::array would lose what makes them vectors.
template <std::size_t kLanes, std::size_t kRows, std::size_t kOut>
using Sums =
    typename Vectors<kLanes>::Floats[kRows][kOut / kLanes];  // NOLINT(modernize-avoid-c-arrays)

// All that has vectors is inlined into its caller, whose instruction set it is compiled for.
template <class To, class From>
[[gnu::always_inline]] inline void copy(To& to, const From& from) noexcept {
  static_assert(sizeof(To) == sizeof(From));
  std::memcpy(&to, &from, sizeof(To));
}

template <class Floats>
[[gnu::always_inline]] inline void load(Floats& to, const float* from) noexcept {
  std::memcpy(&to, from, sizeof(Floats));
}

// 1 / (1 + exp(-x)), up to 1e-6 off; NaN of NaN. exp by 2^n times a polynomial of degree 6 in the
// rest, which is at most half a binary order.
template <std::size_t kLanes>
[[gnu::always_inline]] inline void squash(typename Vectors<kLanes>::Floats& x) noexcept {
  using Floats = typename Vectors<kLanes>::Floats;
  using Ints = typename Vectors<kLanes>::Ints;
  constexpr float kMost = 126;  // binary orders
  constexpr auto kLog2E = std::numbers::log2e_v<float>;
  constexpr float kRounding = 12'582'912.0F;  // of it on, floats are whole
  const Floats zero{};
  Floats order = x * -kLog2E;
  order = order > kMost ? zero + kMost : order;
  order = order < -kMost ? zero - kMost : order;
  const Floats rounded = order + kRounding;
  const Floats rest = order - (rounded - kRounding);
  Floats power = rest * 1.5403530e-4F + 1.3333558e-3F;
  power = power * rest + 9.6181291e-3F;
  power = power * rest + 5.5504109e-2F;
  power = power * rest + 2.4022651e-1F;
  power = power * rest + std::numbers::ln2_v<float>;
  power = power * rest + 1.0F;
  Ints exponent;
  copy(exponent, rounded);
  exponent = (exponent << 23) + (127 << 23);
  Floats scale;
  copy(scale, exponent);
  x = 1.0F / (1.0F + power * scale);
}

// kRows rows of a layer's outputs, before what bounds them. Rows are kStride floats apart.
template <std::size_t kLanes, std::size_t kRows, std::size_t kStride, std::size_t kIn,
          std::size_t kOut>
[[gnu::always_inline]] inline void forward(const MlpLayers::Layer<kIn, kOut>& layer,
                                           const float* in,
                                           Sums<kLanes, kRows, kOut>& out) noexcept {
  for (std::size_t j = 0; j < kOut / kLanes; ++j) {
    load(out[0][j], &layer.biases[j * kLanes]);
    for (std::size_t row = 1; row < kRows; ++row) out[row][j] = out[0][j];
  }
  for (std::size_t i = 0; i < kIn; ++i) {
    for (std::size_t j = 0; j < kOut / kLanes; ++j) {
      typename Vectors<kLanes>::Floats weights;
      load(weights, &layer.weights[i][j * kLanes]);
      for (std::size_t row = 0; row < kRows; ++row) out[row][j] += in[row * kStride + i] * weights;
    }
  }
}

// Of kBlock rows, kRows at a time, what a hidden layer gives.
template <std::size_t kLanes, std::size_t kRows, std::size_t kIn>
[[gnu::always_inline]] inline void hidden(const MlpLayers::Layer<kIn, kHidden>& layer,
                                          const float* in, float* out) noexcept {
  using Floats = typename Vectors<kLanes>::Floats;
  for (std::size_t row = 0; row < kBlock; row += kRows) {
    Sums<kLanes, kRows, kHidden> sums;
    forward<kLanes, kRows, kIn>(layer, in + row * kIn, sums);
    for (auto& each : sums) {
      for (Floats& sum : each) sum = sum < 0.0F ? Floats{} : sum;
    }
    std::memcpy(out + row * kHidden, &sums, sizeof(sums));
  }
}

template <std::size_t kLanes, std::size_t kRows>
[[gnu::always_inline]] inline void score_block(const MlpLayers& layers, const float* features,
                                               float* heads) noexcept {
  constexpr std::size_t kTogether = std::min(kBlock, kRows * kHidden / kPadded);
  alignas(32) std::array<float, kBlock * kHidden> a;
  alignas(32) std::array<float, kBlock * kHidden> b;
  hidden<kLanes, kRows>(layers.first, features, a.data());
  hidden<kLanes, kRows>(layers.second, a.data(), b.data());
  for (std::size_t row = 0; row < kBlock; row += kTogether) {
    Sums<kLanes, kTogether, kPadded> sums;
    forward<kLanes, kTogether, kHidden>(layers.last, b.data() + row * kHidden, sums);
    for (auto& each : sums) {
      for (auto& sum : each) squash<kLanes>(sum);
    }
    std::memcpy(heads + row * kPadded, &sums, sizeof(sums));
  }
}

// The last block is filled up with zeros.
template <std::size_t kLanes, std::size_t kRows>
[[gnu::always_inline]] inline void score_all(const MlpLayers& layers, const float* features,
                                             std::size_t rows, float* heads) noexcept {
  alignas(32) std::array<float, kBlock * kPadded> padded;
  for (std::size_t first = 0; first < rows; first += kBlock) {
    const std::size_t count = std::min(kBlock, rows - first);
    const float* from = features + first * kInputs;
    std::array<float, kBlock * kInputs> filled;
    if (count < kBlock) {
      filled.fill(0);
      std::copy_n(from, count * kInputs, filled.begin());
      from = filled.data();
    }
    score_block<kLanes, kRows>(layers, from, padded.data());
    for (std::size_t row = 0; row < count; ++row) {
      std::copy_n(&padded[row * kPadded], kHeads, heads + (first + row) * kHeads);
    }
  }
}

#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] void score_rows_by_avx2(const MlpLayers& layers, const float* features,
                                                    std::size_t rows, float* heads) noexcept {
  score_all<8, 2>(layers, features, rows, heads);
}
#endif

}  // namespace

void score_rows_by_baseline(const MlpLayers& layers, const float* features, std::size_t rows,
                            float* heads) noexcept {
  score_all<4, 1>(layers, features, rows, heads);
}

void score_rows(const MlpLayers& layers, const float* features, std::size_t rows,
                float* heads) noexcept {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (has_avx2) return score_rows_by_avx2(layers, features, rows, heads);
#endif
  score_rows_by_baseline(layers, features, rows, heads);
}

}  // namespace vcache::predictor
