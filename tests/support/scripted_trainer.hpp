#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "predictor/example.hpp"
#include "predictor/trainer.hpp"
#include "support/models.hpp"

namespace vcache::testing {

// What a trainer was asked to do, and the weights that it says it fitted.
struct Script {
  std::vector<std::size_t> rows = {};
  std::vector<std::size_t> passes = {};
  std::atomic<float> factor{1};  // of the fitted model, whose input is the number of accesses
  std::atomic<bool> fails{false};
  std::atomic<bool> archive_differs{false};  // for who loads the archive
};

class ScriptedTrainer final : public predictor::Trainer {
 public:
  explicit ScriptedTrainer(Script& script) : script_(script) {}

  base::Error fit(std::span<const float> features, std::span<const predictor::Target> targets,
                  std::size_t passes) noexcept override {
    EXPECT_EQ(features.size(), targets.size() * predictor::kInputs);
    script_.rows.push_back(targets.size());
    script_.passes.push_back(passes);
    if (!script_.fails) return {};
    return {.code = base::ErrorCode::kInvalid, .detail = "fails"};
  }
  [[nodiscard]] base::Result<double> loss(
      std::span<const float>, std::span<const predictor::Target>) const noexcept override {
    return 0.0;
  }
  void weights(std::span<float, predictor::Mlp::kWeights> out) const noexcept override {
    const Weights weights = weights_of(kAccessesInput, script_.factor);
    std::copy(weights.begin(), weights.end(), out.begin());
  }
  [[nodiscard]] base::Result<std::string> archive() const noexcept override {
    return std::string();
  }

 private:
  Script& script_;
};

// Of a key that was accessed 16 times.
[[nodiscard]] inline predictor::Example example(bool is_accessed) {
  return {.snapshot = {.past = {.first = 1, .last = 1, .accesses = 16}, .now = 9},
          .head = 1,
          .is_accessed = is_accessed};
}

}  // namespace vcache::testing
