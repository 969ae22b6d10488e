#pragma once

#include <span>

#include "predictor/features.hpp"

namespace vcache::predictor {

// P(next access within so many mean residences), of a model's probabilities for its horizons: its
// log-odds, linear between them in the logarithm of the horizon, and beyond the last. Rises with
// `residences`, also where the model's probabilities do not. Requires: residences >= 0.
[[nodiscard]] double probability_within(std::span<const float, kHeads> heads,
                                        double residences) noexcept;

}  // namespace vcache::predictor
