#pragma once

#include <algorithm>
#include <cmath>

namespace vcache::predictor {

[[nodiscard]] inline double logistic(double x) noexcept { return 1 / (1 + std::exp(-x)); }

// Of a probability, or its complement, below `least`: as if it was that.
[[nodiscard]] inline double log_odds(double p, double least) noexcept {
  const double inside = std::clamp(p, least, 1 - least);
  return std::log(inside / (1 - inside));
}

}  // namespace vcache::predictor
