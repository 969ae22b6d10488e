#include "predictor/hour.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/random.hpp"

namespace vcache::predictor {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr base::Nanos kNow{1};

Hour hour_of(std::size_t samples) {
  Hour hour(7);
  hour.reach(samples);
  return hour;
}

std::vector<Hour::Outcome> settled(Hour& hour, base::Nanos now) {
  std::vector<Hour::Outcome> outcomes;
  hour.settle(now, [&](const Hour::Outcome& outcome) { outcomes.push_back(outcome); });
  return outcomes;
}

TEST(Hour, AnOutcomeIsKnownWhenTheHourIsOver) {
  Hour hour = hour_of(64);
  hour.sample({.key_hash = 1}, {}, kNow);
  hour.sample({.key_hash = 2}, {}, kNow);
  hour.on_access(1);
  EXPECT_TRUE(settled(hour, kNow + hours(1) - seconds(1)).empty());
  const auto outcomes = settled(hour, kNow + hours(1));
  ASSERT_EQ(outcomes.size(), 2);
  EXPECT_TRUE(outcomes[0].is_read);
  EXPECT_FALSE(outcomes[1].is_read);
  EXPECT_EQ(hour.reliability().outcomes, 2);
}

TEST(Hour, AReadBeforeASampleIsNoneOfIts) {
  Hour hour = hour_of(64);
  hour.sample({.key_hash = 1}, {}, kNow);
  hour.on_access(1);
  hour.sample({.key_hash = 1}, {}, kNow + minutes(1));
  const auto outcomes = settled(hour, kNow + hours(2));
  ASSERT_EQ(outcomes.size(), 2);
  EXPECT_TRUE(outcomes[0].is_read);
  EXPECT_FALSE(outcomes[1].is_read);
}

TEST(Hour, LearnsTheShareThatIsRead) {
  Hour hour = hour_of(64);
  std::uint64_t random = 3;
  base::Nanos now = kNow;
  const auto seen = [](bool is_popular) { return Outlook{.accesses = is_popular ? 4.0F : 0.0F}; };
  for (std::uint64_t key = 1; key <= 20'000; ++key) {
    now += minutes(1);
    settled(hour, now);
    const bool is_popular = key % 2 == 0;
    hour.sample({.key_hash = key}, seen(is_popular), now);
    if (base::random_unit(random) < (is_popular ? 0.7 : 0.1)) hour.on_access(key);
  }
  EXPECT_NEAR(hour.probability(seen(true)), 0.7, 0.06);
  EXPECT_NEAR(hour.probability(seen(false)), 0.1, 0.04);
  EXPECT_LT(hour.reliability().calibration_error(), 0.05);
  EXPECT_LT(hour.reliability().brier(), 0.9 * 0.4 * 0.6);
}

TEST(Hour, AClockThatJumpsAheadEndsAllHours) {
  Hour hour = hour_of(64);
  for (std::uint64_t key = 1; key <= 64; ++key) hour.sample({.key_hash = key}, {}, kNow);
  EXPECT_EQ(settled(hour, kNow + hours(24 * 365)).size(), 64);
}

TEST(Hour, AClockThatJumpsBackStandsStill) {
  Hour hour = hour_of(64);
  settled(hour, kNow + hours(5));
  hour.sample({.key_hash = 1}, {}, kNow);
  EXPECT_TRUE(settled(hour, kNow + hours(2)).empty());
  EXPECT_EQ(settled(hour, kNow + hours(6)).size(), 1);
}

TEST(Hour, AsManySamplesWaitAsThereIsRoomFor) {
  Hour hour = hour_of(1);
  std::size_t taken = 0;
  for (std::uint64_t key = 1; key <= 1'000; ++key) {
    if (!hour.wants(0)) break;
    hour.sample({.key_hash = key}, {}, kNow);
    ++taken;
  }
  EXPECT_EQ(taken, Hour::kFewest);
  EXPECT_LE(hour.memory_bytes(), 64 * Hour::kFewest);
}

TEST(Hour, MoreRoomKeepsTheSamplesThatWait) {
  Hour hour = hour_of(64);
  for (std::uint64_t key = 1; key <= 64; ++key) hour.sample({.key_hash = key << 8}, {}, kNow);
  hour.reach(1'024);
  for (std::uint64_t key = 1; key <= 32; ++key) hour.on_access(key << 8);
  const auto outcomes = settled(hour, kNow + hours(1));
  ASSERT_EQ(outcomes.size(), 64);
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(outcomes[i].is_read, i < 32) << i;
}

TEST(Hour, SamplesSpreadOverTheSpan) {
  Hour hour = hour_of(64);
  const double a_second = 1'000;
  std::size_t wanted = 0;
  for (int i = 0; i < 3'600'000; ++i) wanted += hour.wants(a_second) ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(wanted), 64, 30);
}

TEST(AccessRate, FollowsTheAccesses) {
  AccessRate rate;
  AccessTime accesses = 0;
  base::Nanos now = kNow;
  for (int i = 0; i < 3'600; ++i) {
    rate.note(now, accesses);
    now += seconds(1);
    accesses += 50;
  }
  EXPECT_NEAR(rate.per_second(now, accesses), 50, 1);
}

TEST(Reliability, IsTheErrorOfTheBins) {
  Reliability sure;
  for (int i = 0; i < 200; ++i) sure.add(0.95, i % 2 == 0);
  EXPECT_NEAR(sure.calibration_error(), 0.45, 0.01);
  EXPECT_NEAR(sure.brier(), 0.5 * (0.05 * 0.05 + 0.95 * 0.95), 0.01);
  Reliability both = sure;
  both.add(sure);
  EXPECT_EQ(both.outcomes, 400);
  EXPECT_NEAR(both.calibration_error(), sure.calibration_error(), 1e-9);
}

}  // namespace
}  // namespace vcache::predictor
