#pragma once

#include <array>
#include <cstddef>

#include "predictor/features.hpp"

namespace vcache::predictor {

// The weights of an Mlp, as its rows are computed: one array of outputs for each input of a layer.
struct MlpLayers {
  static constexpr std::size_t kHidden = 32;
  // The last layer's outputs are padded, so that all layers are of whole vectors.
  static constexpr std::size_t kPaddedHeads = 8;

  template <std::size_t kIn, std::size_t kOut>
  struct Layer {
    alignas(32) std::array<std::array<float, kOut>, kIn> weights;
    alignas(32) std::array<float, kOut> biases;
  };

  Layer<kInputs, kHidden> first{};
  Layer<kHidden, kHidden> second{};
  Layer<kHidden, kPaddedHeads> last{};
};

// kHeads probabilities for each row of kInputs features, by the widest vectors that the processor
// has. The widths differ by rounding: 1e-5 at most, in what the tests score.
void score_rows(const MlpLayers& layers, const float* features, std::size_t rows,
                float* heads) noexcept;

// The same by vectors that any processor has.
void score_rows_by_baseline(const MlpLayers& layers, const float* features, std::size_t rows,
                            float* heads) noexcept;

}  // namespace vcache::predictor
