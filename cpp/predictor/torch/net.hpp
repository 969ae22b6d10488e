#pragma once

#include <ATen/ATen.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "predictor/mlp.hpp"
#include "predictor/target.hpp"

namespace vcache::predictor {

inline constexpr std::size_t kLayers = 3;

// The parameters of a model of Mlp's shape and their gradients, each as one tensor in Mlp's order,
// so that Adam works on one. A layer is a matrix of (inputs + 1, outputs) in it, whose last row are
// the biases.
class Net {
 public:
  explicit Net(std::span<const float, Mlp::kWeights> weights);

  // All parameters. Its gradient is what Batch::backward() writes.
  [[nodiscard]] const at::Tensor& values() const noexcept { return values_; }
  // Of a layer: (inputs, outputs) and (outputs), views of values().
  [[nodiscard]] at::Tensor weights(std::size_t layer) const;
  [[nodiscard]] at::Tensor biases(std::size_t layer) const;

 private:
  friend class Batch;
  struct Layer {
    at::Tensor whole;       // weights and biases
    at::Tensor transposed;  // the weights, (outputs, inputs)
    at::Tensor gradients;   // of whole
  };

  at::Tensor values_;
  at::Tensor gradients_;
  std::array<Layer, kLayers> layers_;
};

// A number of examples on their way through a net and back. The steps are written out rather than
// recorded by autograd: for a net this small recording them takes five times as long as the steps.
// Works in inference mode, in memory of its own that is taken once.
class Batch {
 public:
  explicit Batch(std::size_t rows);

  [[nodiscard]] std::size_t rows() const noexcept { return targets_.size(); }
  // Of all examples, takes those of the numbers `which`. Requires: which.size() == rows().
  void gather(std::span<const float> features, std::span<const Target> targets,
              std::span<const std::uint32_t> which) noexcept;
  void forward(const Net& net);
  // After forward(): the sum of the examples' cross entropies, weighted.
  [[nodiscard]] double loss() const noexcept;
  // After forward(): writes the gradients of `scale` times the loss.
  void backward(Net& net, float scale);

 private:
  // What enters a layer: a column of ones after the rest, which the biases are multiplied with.
  struct Layer {
    at::Tensor in;
    at::Tensor in_values;   // without the ones
    at::Tensor transposed;  // of in
    at::Tensor gradients;   // of in_values
  };

  [[nodiscard]] at::Tensor& out(std::size_t layer) noexcept;

  std::vector<Target> targets_;
  std::array<Layer, kLayers> layers_;
  at::Tensor logits_;
  at::Tensor logit_gradients_;
};

}  // namespace vcache::predictor
