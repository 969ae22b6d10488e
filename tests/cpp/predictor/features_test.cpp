#include "predictor/features.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/hash.hpp"

namespace vcache::predictor {
namespace {

using Row = std::array<float, kInputs>;

Row features_of(const Snapshot& snapshot) {
  Row row{};
  write_features(snapshot, row);
  return row;
}

// Accessed at 100, 108 and 140; judged at 204.
Snapshot known() {
  KeyPast past{.first = 100, .last = 100, .accesses = 1};
  note_access(past, 108);
  note_access(past, 140);
  return {.past = past,
          .residence = {.since = 108, .hits = 1},
          .now = 204,
          .log2_residence = 6,
          .estimate = 3};
}

TEST(Features, AreLogarithmsRelativeToTheMeanResidence) {
  const Row row = features_of(known());
  EXPECT_NEAR(row[0], (std::log2(64.5) - 6) / 4, 0.01);  // age
  EXPECT_NEAR(row[1], (std::log2(32.5) - 6) / 4, 0.04);  // the last gap
  EXPECT_NEAR(row[2], (std::log2(8.5) - 6) / 4, 0.04);
  EXPECT_FLOAT_EQ(row[3], 1.5);  // there was none
  EXPECT_NEAR(row[5], std::log2(3) / 4, 0.01);
  EXPECT_NEAR(row[6], 0.25, 0.01);
  EXPECT_NEAR(row[7], (std::log2(104.5) - 6) / 4, 0.01);
  EXPECT_NEAR(row[12], 0.5, 0.01);
}

TEST(Features, AreTheSameForCachesOfAllSizes) {
  Snapshot small = known();
  Snapshot large = small;
  large.past = {.first = 100'000, .last = 100'000, .accesses = 1};
  note_access(large.past, 100'000 + 8 * 1024);
  note_access(large.past, 100'000 + 40 * 1024);
  large.residence.since = 100'000 + 8 * 1024;
  large.now = 100'000 + 104 * 1024;
  large.log2_residence = 16;
  const Row of_small = features_of(small);
  const Row of_large = features_of(large);
  for (std::size_t i = 0; i < kInputs; ++i) EXPECT_NEAR(of_small[i], of_large[i], 0.05) << i;
}

TEST(Features, StayTheSameToTheByte) {
  const Row row = features_of(known());
  std::array<char, sizeof(row)> bytes{};
  std::memcpy(bytes.data(), row.data(), sizeof(row));
  EXPECT_EQ(base::hash64({bytes.data(), bytes.size()}, 0), 2515016235577425611ULL);
}

TEST(Features, AreFiniteAndBoundedWhateverTheSnapshot) {
  constexpr auto kTop = std::numeric_limits<std::uint32_t>::max();
  for (const std::uint32_t first : {0U, 1U, 7U, kTop}) {
    for (const std::uint32_t last : {0U, 5U, kTop - 1}) {
      for (const std::uint32_t now : {0U, 1U, kTop / 2, kTop}) {
        for (const float residence : {0.0F, 9.0F, 31.0F}) {
          KeyPast past{.first = first, .last = last, .accesses = 1};
          note_access(past, now);
          const Row row = features_of({.past = past,
                                       .residence = {.since = last, .hits = 65'535},
                                       .now = now,
                                       .log2_residence = residence,
                                       .log2_size = 100,
                                       .log2_cost = -100,
                                       .estimate = 255});
          for (const float value : row) {
            EXPECT_TRUE(std::isfinite(value));
            EXPECT_LE(std::abs(value), 16);
          }
        }
      }
    }
  }
}

TEST(Features, TimeMayWrap) {
  Snapshot early = known();
  Snapshot late = early;
  const std::uint32_t shift = 0U - 120U;  // between the accesses
  late.past.first += shift;
  late.past.last += shift;
  late.residence.since += shift;
  late.now += shift;
  EXPECT_EQ(features_of(early), features_of(late));
}

TEST(Log2, IsWithinAHundredth) {
  for (std::uint32_t x = 1; x < 3'000'000'000U; x += 1 + x / 7) {
    EXPECT_NEAR(log2_of(x), std::log2(static_cast<double>(x)), 0.01) << x;
  }
}

TEST(KeyPast, CountsAccessesUpToItsLimit) {
  KeyPast past{.first = 1, .last = 1, .accesses = 1};
  for (std::uint32_t now = 2; now < 70'000; ++now) note_access(past, now);
  EXPECT_EQ(past.accesses, 65'535);
  EXPECT_EQ(past.last, 69'999U);
}

}  // namespace
}  // namespace vcache::predictor
