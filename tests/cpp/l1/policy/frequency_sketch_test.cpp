#include "l1/policy/frequency_sketch.hpp"

#include <gtest/gtest.h>

#include "l1/policy/fingerprint.hpp"

namespace vcache::l1::policy {
namespace {

TEST(FrequencySketch, NeverCountsTooLittle) {
  FrequencySketch sketch;
  sketch.reach(1'000);
  for (std::uint64_t key = 0; key < 500; ++key) {
    for (std::uint64_t uses = 0; uses < key % 8; ++uses) sketch.add(fingerprint(key));
  }
  std::uint64_t excess = 0;
  for (std::uint64_t key = 0; key < 500; ++key) {
    ASSERT_GE(sketch.estimate(fingerprint(key)), key % 8);
    excess += sketch.estimate(fingerprint(key)) - key % 8;
  }
  EXPECT_LT(excess, 25U);
}

TEST(FrequencySketch, StopsAtFifteen) {
  FrequencySketch sketch;
  for (int i = 0; i < 100; ++i) sketch.add(42);
  EXPECT_EQ(sketch.estimate(42), 15U);
  EXPECT_EQ(sketch.estimate(43), 0U);
}

TEST(FrequencySketch, KeepsItsCountsWhenItGrows) {
  FrequencySketch sketch;
  for (std::uint64_t key = 0; key < 20; ++key) {
    for (std::uint64_t uses = 0; uses <= key % 5; ++uses) sketch.add(fingerprint(key));
  }
  const std::size_t before = sketch.memory_bytes();
  sketch.reach(10'000);
  EXPECT_GT(sketch.memory_bytes(), 10 * before);
  EXPECT_LE(sketch.memory_bytes(), std::size_t{16} * 10'000);
  for (std::uint64_t key = 0; key < 20; ++key) {
    EXPECT_GE(sketch.estimate(fingerprint(key)), key % 5 + 1);
  }
}

TEST(FrequencySketch, HalvesCountsAfterTenAdditionsAWord) {
  FrequencySketch sketch;  // 64 words
  for (int i = 0; i < 8; ++i) sketch.add(7);
  for (std::uint64_t key = 100; key < 100 + 640 - 8 - 1; ++key) sketch.add(fingerprint(key));
  const std::uint32_t before = sketch.estimate(7);
  EXPECT_GE(before, 8U);
  sketch.add(7);
  EXPECT_EQ(sketch.estimate(7), (before + 1) / 2);
}

}  // namespace
}  // namespace vcache::l1::policy
