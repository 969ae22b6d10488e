#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.hpp"
#include "predictor/mlp.hpp"
#include "predictor/target.hpp"

namespace vcache::predictor {

struct TrainerOptions {
  std::size_t batch_size = 64;  // examples of a step, 1 to kMaxTrainingBatch
  double learning_rate = 1e-3;  // of Adam, over 0 and at most 1
  std::uint64_t seed = 0;
};

inline constexpr std::size_t kMaxTrainingBatch = 4096;

// Weights to start from, in Mlp's order; none: random ones by the seed.
using StartWeights = std::optional<std::span<const float, Mlp::kWeights>>;

// Fits a model of Mlp's shape. Trainers made alike and called alike have the same weights. One
// thread at a time may call one; none throws, and none takes the GIL.
//
// Features are a matrix in C order, a row of kInputs for each target. An error where a number is
// not finite, a label is not from 0 to 1, a weight is negative, all weights are 0, or there is no
// such head.
class Trainer {
 public:
  Trainer() = default;
  virtual ~Trainer() = default;
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Goes `passes` times over the examples in random order, a step of Adam for each batch, against
  // the mean cross entropy of each example's own head. Adam's moments last from call to call.
  // After an error the weights are those before the call.
  // Requires: features.size() == targets.size() * kInputs, here and below.
  virtual base::Error fit(std::span<const float> features, std::span<const Target> targets,
                          std::size_t passes) noexcept = 0;

  // The weighted mean of the cross entropy, in nats.
  [[nodiscard]] virtual base::Result<double> loss(
      std::span<const float> features, std::span<const Target> targets) const noexcept = 0;

  // In Mlp's order.
  virtual void weights(std::span<float, Mlp::kWeights> out) const noexcept = 0;

  // The model as the bytes of a TorchScript file.
  [[nodiscard]] virtual base::Result<std::string> archive() const noexcept = 0;
};

}  // namespace vcache::predictor
