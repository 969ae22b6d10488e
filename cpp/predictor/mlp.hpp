#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "predictor/features.hpp"
#include "predictor/predictor.hpp"

namespace vcache::predictor {

// The model's plain-float twin: kInputs, two hidden layers of 32 with ReLU, kHeads with a sigmoid.
// Needs no LibTorch.
class Mlp final : public Predictor {
 public:
  static constexpr std::size_t kHidden = 32;
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
  template <std::size_t kIn, std::size_t kOut>
  struct Layer {
    alignas(32) std::array<std::array<float, kOut>, kIn> weights;
    alignas(32) std::array<float, kOut> biases;
  };
  // The last layer's outputs are padded, so that all layers are of whole vectors.
  static constexpr std::size_t kPaddedHeads = 8;

  Layer<kInputs, kHidden> first_{};
  Layer<kHidden, kHidden> second_{};
  Layer<kHidden, kPaddedHeads> last_{};
};

}  // namespace vcache::predictor
