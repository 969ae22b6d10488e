#include "predictor/outlook.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "predictor/logistic.hpp"

namespace vcache::predictor {

namespace {

constexpr std::size_t kKnown = kHorizons.size();
constexpr double kLeast = 1e-6;  // of a probability, and of its complement

}  // namespace

double probability_within(std::span<const float, kHeads> heads, double residences) noexcept {
  std::array<double, kKnown> at{};
  double highest = 0;
  for (std::size_t i = 0; i < kKnown; ++i) {
    highest = std::max(highest, std::min(static_cast<double>(heads[i]), 1 - kLeast));
    at[i] = highest;
  }
  const auto first = static_cast<double>(kHorizons[0]);
  if (residences <= first) return 1 - std::pow(1 - at[0], residences / first);
  std::size_t right = 1;
  while (right + 1 < kKnown && residences > static_cast<double>(kHorizons[right])) ++right;
  const double left_end = std::log2(static_cast<double>(kHorizons[right - 1]));
  const double right_end = std::log2(static_cast<double>(kHorizons[right]));
  const double share = (std::log2(residences) - left_end) / (right_end - left_end);
  const double from = log_odds(at[right - 1], kLeast);
  return logistic(from + share * (log_odds(at[right], kLeast) - from));
}

}  // namespace vcache::predictor
