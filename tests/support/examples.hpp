#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "predictor/features.hpp"
#include "predictor/target.hpp"

namespace vcache::testing {

struct Examples {
  std::vector<float> features{};
  std::vector<predictor::Target> targets{};
  double entropy = 0;  // the mean loss of whoever knows the rule
};

// Examples of a rule that a model can learn: P(1) = sigmoid(3 * (the head's feature + feature 6)).
inline Examples random_examples(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> feature(-1, 1);
  std::uniform_real_distribution<double> chance(0, 1);
  Examples out;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = out.features.size();
    for (std::size_t j = 0; j < predictor::kInputs; ++j) out.features.push_back(feature(random));
    const auto head = static_cast<std::uint32_t>(random() % predictor::kHeads);
    const double logit = 3.0 * (out.features[row + head] + out.features[row + 6]);
    const double p = 1 / (1 + std::exp(-logit));
    out.targets.push_back({chance(random) < p ? 1.0F : 0.0F, 1, head});
    out.entropy -= (p * std::log(p) + (1 - p) * std::log(1 - p)) / static_cast<double>(count);
  }
  return out;
}

}  // namespace vcache::testing
