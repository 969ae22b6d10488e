#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "predictor/mlp.hpp"

namespace vcache::testing {

using Weights = std::array<float, predictor::Mlp::kWeights>;

// A model all of whose probabilities are the sigmoid of `factor` times one input, where that is
// above 0, else a half.
[[nodiscard]] inline Weights weights_of(std::size_t input, float factor) {
  using predictor::kHeads;
  using predictor::kInputs;
  constexpr std::size_t kHidden = predictor::Mlp::kHidden;
  Weights weights{};
  weights[input * kHidden] = factor;
  const std::size_t second = (kInputs + 1) * kHidden;
  weights[second] = 1;
  const std::size_t last = second + (kHidden + 1) * kHidden;
  for (std::size_t head = 0; head < kHeads; ++head) weights[last + head] = 1;
  return weights;
}

[[nodiscard]] inline std::shared_ptr<const predictor::Mlp> model_of(std::size_t input,
                                                                    float factor) {
  return predictor::Mlp::from_weights(weights_of(input, factor)).value();
}

// An input of write_features().
inline constexpr std::size_t kAgeInput = 0;
inline constexpr std::size_t kAccessesInput = 5;
inline constexpr std::size_t kGroupReuseInput = 13;
inline constexpr std::size_t kFromRedisInput = 16;

// A model that gives no score.
class FailingModel final : public predictor::Predictor {
 public:
  [[nodiscard]] std::size_t inputs() const noexcept override { return predictor::kInputs; }
  [[nodiscard]] std::size_t outputs() const noexcept override { return predictor::kHeads; }
  base::Error score(std::span<const float>, std::size_t, std::span<float>) const noexcept override {
    return {.code = base::ErrorCode::kInvalid, .detail = "fails"};
  }
};

// A model that scores NaN.
class NanModel final : public predictor::Predictor {
 public:
  [[nodiscard]] std::size_t inputs() const noexcept override { return predictor::kInputs; }
  [[nodiscard]] std::size_t outputs() const noexcept override { return predictor::kHeads; }
  base::Error score(std::span<const float>, std::size_t,
                    std::span<float> out) const noexcept override {
    for (float& value : out) value = __builtin_nanf("");
    return {};
  }
};

}  // namespace vcache::testing
