#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "predictor/features.hpp"
#include "predictor/mlp_layers.hpp"
#include "predictor/predictor.hpp"

namespace vcache::predictor {

// The model's plain-float twin: kInputs, two hidden layers of 32 with ReLU, kHeads with a sigmoid.
// Needs no LibTorch.
class Mlp final : public Predictor {
 public:
  static constexpr std::size_t kHidden = MlpLayers::kHidden;
  // Weights of a layer as (inputs, outputs) in C order, then its biases; three layers.
  static constexpr std::size_t kWeights =
      (kInputs + 1) * kHidden + (kHidden + 1) * kHidden + (kHidden + 1) * kHeads;

  // Weights in the order above. An error where one is not finite.
  [[nodiscard]] static base::Result<std::shared_ptr<const Mlp>> from_weights(
      std::span<const float, kWeights> weights);
  // The bytes of a weights file: "vcache-mlp-1\n", three little-endian u32 (kInputs, kHidden,
  // kHeads), then the weights as little-endian float32. An error names what is wrong.
  [[nodiscard]] static base::Result<std::shared_ptr<const Mlp>> from_file(std::string_view bytes);

  // The bytes of its weights file.
  [[nodiscard]] std::string file() const;
  // In the order of from_weights().
  void weights(std::span<float, kWeights> out) const noexcept;

  [[nodiscard]] std::size_t inputs() const noexcept override { return kInputs; }
  [[nodiscard]] std::size_t outputs() const noexcept override { return kHeads; }
  base::Error score(std::span<const float> features, std::size_t rows,
                    std::span<float> out) const noexcept override;

 private:
  MlpLayers layers_;
};

}  // namespace vcache::predictor
