#include "l1/policy/hill_climber.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace vcache::l1::policy {
namespace {

constexpr std::size_t kEntries = 1'000;

// A sample of which that many in a thousand hit; the step that it leads to.
double after(HillClimber& climber, int hits) {
  const double before = climber.share();
  for (int i = 0; i < 10'000; ++i) climber.count(i % 1'000 < hits, kEntries);
  return climber.share() - before;
}

TEST(HillClimber, StepsAtTheEndOfASampleOnly) {
  HillClimber climber(0.2, 0.8);
  for (int i = 0; i < 9'999; ++i) climber.count(true, kEntries);
  EXPECT_EQ(climber.share(), 0.2);
  climber.count(true, kEntries);
  EXPECT_NE(climber.share(), 0.2);
}

TEST(HillClimber, ASampleOfAFewEntriesIsLargeToo) {
  HillClimber climber(0.2, 0.8);
  for (int i = 0; i < 1'999; ++i) climber.count(true, 3);
  EXPECT_EQ(climber.share(), 0.2);
  climber.count(true, 3);
  EXPECT_NE(climber.share(), 0.2);
}

TEST(HillClimber, GoesOnWhileHitsBecomeMoreAndTurnsBackWhenFewer) {
  HillClimber climber(0.3, 0.8);
  const double first = after(climber, 500);
  const double second = after(climber, 510);
  EXPECT_EQ(std::signbit(first), std::signbit(second));
  const double third = after(climber, 490);
  EXPECT_NE(std::signbit(second), std::signbit(third));
}

TEST(HillClimber, StepsBecomeSmallerUntilTheRatioChangesALot) {
  HillClimber climber(0.1, 100);
  const double first = after(climber, 500);
  (void)after(climber, 500);
  double last = first;
  for (int i = 0; i < 100; ++i) last = after(climber, 500);
  EXPECT_LT(std::abs(last), std::abs(first) / 5);
  (void)after(climber, 700);
  EXPECT_NEAR(std::abs(after(climber, 700)), std::abs(first), 1e-9);
}

TEST(HillClimber, TurnsBackAtEitherEnd) {
  HillClimber climber(0.05, 0.1);
  (void)after(climber, 500);
  EXPECT_EQ(climber.share(), 0.1);
  EXPECT_LT(after(climber, 500), 0);
  (void)after(climber, 500);
  EXPECT_EQ(climber.share(), 0);
  EXPECT_GT(after(climber, 500), 0);
}

TEST(HillClimber, FindsTheTop) {
  HillClimber climber(0.01, 0.8);
  for (int i = 0; i < 200; ++i) {
    const double off = climber.share() - 0.4;
    (void)after(climber, static_cast<int>(600 - 400 * off * off));
  }
  EXPECT_NEAR(climber.share(), 0.4, 0.1);
}

}  // namespace
}  // namespace vcache::l1::policy
