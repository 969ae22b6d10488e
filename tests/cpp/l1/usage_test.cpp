#include "l1/usage.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vcache::l1 {
namespace {

using base::Nanos;
using std::chrono::hours;

TEST(DailyReadsTest, CountsWhatWasAdded) {
  DailyReads reads(7);
  reads.add("a", 3, Nanos(0));
  reads.add("a", 2, hours(1));
  reads.add("b", 1, hours(1));
  EXPECT_EQ(reads.count("a", hours(2)), 5U);
  EXPECT_EQ(reads.count("b", hours(2)), 1U);
  EXPECT_EQ(reads.count("c", hours(2)), 0U);
}

TEST(DailyReadsTest, TheDayBeforeFadesOverTheNext) {
  DailyReads reads(7);
  reads.add("a", 100, hours(23));
  EXPECT_EQ(reads.count("a", hours(24)), 100U);
  EXPECT_EQ(reads.count("a", hours(36)), 50U);
  reads.add("a", 10, hours(36));
  EXPECT_EQ(reads.count("a", hours(42)), 35U);
  EXPECT_EQ(reads.count("a", hours(48)), 10U);
  EXPECT_EQ(reads.count("a", hours(72)), 0U);
}

TEST(DailyReadsTest, ADayLongAfterBeginsEmpty) {
  DailyReads reads(7);
  for (int day = 0; day < 10; day += 3) {
    EXPECT_EQ(reads.count("a", hours(24 * day)), 0U);
    reads.add("a", 5, hours(24 * day));
    EXPECT_EQ(reads.count("a", hours(24 * day)), 5U);
  }
}

TEST(DailyReadsTest, CountsStopAtTheMost) {
  DailyReads reads(7);
  reads.add("a", 4'000'000'000, Nanos(0));
  reads.add("a", 4'000'000'000, Nanos(0));
  EXPECT_EQ(reads.count("a", Nanos(0)), DailyReads::kMost);
}

TEST(DailyReadsTest, NoCountIsTooLowAndFewAreTooHigh) {
  constexpr std::uint32_t kKeys = 50'000;
  DailyReads reads(7);
  for (std::uint32_t i = 0; i < kKeys; ++i) reads.add(std::to_string(i), i % 8, Nanos(0));
  std::uint32_t wrong = 0;
  for (std::uint32_t i = 0; i < kKeys; ++i) {
    const std::uint32_t count = reads.count(std::to_string(i), Nanos(0));
    EXPECT_GE(count, i % 8);
    wrong += count == i % 8 ? 0 : 1;
  }
  EXPECT_LT(wrong, kKeys / 10);
}

TEST(TtlByUseTest, ChangesWhereItSaysAnotherThing) {
  const TtlByUse rule;
  for (std::uint32_t reads = 1; reads < 100; ++reads) {
    EXPECT_EQ(rule.changes_at(reads), rule.of(reads) != rule.of(reads - 1)) << reads;
  }
}

}  // namespace
}  // namespace vcache::l1
