#include "predictor/outlook.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>

namespace vcache::predictor {
namespace {

using Heads = std::array<float, kHeads>;

Heads heads_of(float first, float second, float third, float fourth) {
  Heads heads{};
  heads[0] = first;
  heads[1] = second;
  heads[2] = third;
  heads[3] = fourth;
  return heads;
}

TEST(Outlook, GivesWhatTheModelSaysOfItsHorizons) {
  const Heads heads = heads_of(0.1F, 0.3F, 0.6F, 0.9F);
  for (std::size_t i = 0; i < kHorizons.size(); ++i) {
    EXPECT_NEAR(probability_within(heads, static_cast<double>(kHorizons[i])),
                static_cast<double>(heads[i]), 1e-6)
        << kHorizons[i];
  }
}

TEST(Outlook, IsNothingAtOnceAndHalfTheLogOddsHalfWay) {
  const Heads heads = heads_of(0.2F, 0.5F, 0.8F, 0.9F);
  EXPECT_EQ(probability_within(heads, 0), 0);
  // A constant rate before the first horizon.
  EXPECT_NEAR(probability_within(heads, static_cast<double>(kHorizons[0]) / 2), 1 - std::sqrt(0.8),
              1e-6);
  const double between = std::sqrt(static_cast<double>(kHorizons[1] * kHorizons[2]));
  EXPECT_NEAR(probability_within(heads, between), 2.0 / 3, 1e-6);  // odds of 1 and 4, so 2
}

TEST(Outlook, GoesOnBeyondTheLastHorizon) {
  const Heads heads = heads_of(0.1F, 0.3F, 0.5F, 0.8F);
  const double last = static_cast<double>(kHorizons[3]);
  const double next = last * last / static_cast<double>(kHorizons[2]);
  EXPECT_NEAR(probability_within(heads, next), 16.0 / 17, 1e-6);  // odds of 1 and 4, so 16
  EXPECT_NEAR(probability_within(heads, 1e30), 1, 1e-6);
}

TEST(Outlook, RisesWithTimeWhateverTheModelSays) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> any(0, 1);
  const auto probability = [&]() -> float {
    const float p = any(random);
    return p < 0.1F ? 0.0F : (p > 0.9F ? 1.0F : p);
  };
  for (int i = 0; i < 2'000; ++i) {
    const Heads heads = heads_of(probability(), probability(), probability(), probability());
    double before = 0;
    for (double residences = 0.001; residences < 1e5; residences *= 1.1) {
      const double p = probability_within(heads, residences);
      ASSERT_GE(p, before - 1e-12) << residences;
      ASSERT_LE(p, 1);
      before = p;
    }
  }
}

}  // namespace
}  // namespace vcache::predictor
