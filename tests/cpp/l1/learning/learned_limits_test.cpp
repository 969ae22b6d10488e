#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "l1/l1_cache.hpp"
#include "support/float_vector.hpp"
#include "support/models.hpp"

// Learned eviction at the ends of what a cache may be.
namespace vcache::l1 {
namespace {

using std::chrono::seconds;
using testing::Vector;

constexpr std::size_t kWide = 400;  // floats, so that an entry is worth learning of

// Counts its scorings.
class Counting final : public predictor::Predictor {
 public:
  [[nodiscard]] std::size_t inputs() const noexcept override { return predictor::kInputs; }
  [[nodiscard]] std::size_t outputs() const noexcept override { return predictor::kHeads; }
  base::Error score(std::span<const float> features, std::size_t rows,
                    std::span<float> out) const noexcept override {
    ++scorings;
    return model_->score(features, rows, out);
  }
  mutable std::atomic<int> scorings{0};

 private:
  std::shared_ptr<const predictor::Mlp> model_ = testing::model_of(testing::kAccessesInput, 1);
};

class LearnedLimitsTest : public ::testing::Test {
 protected:
  [[nodiscard]] static L1Options options(std::size_t bytes, std::size_t entries = 0) {
    L1Options made{.bytes = bytes, .entries = entries, .policy = "learned", .seed = 5};
    made.learning.model = testing::model_of(testing::kAccessesInput, 1);
    return made;
  }
  static bool put(L1Cache& cache, int key, std::size_t width = kWide) {
    return cache.insert("k" + std::to_string(key), Vector(width, 1).view(), kNoExpiry);
  }
  static void fill(L1Cache& cache, int from, int to, std::size_t width = kWide) {
    for (int key = from; key < to; ++key) put(cache, key, width);
  }

  base::ManualClock clock_{seconds(1000)};
  metrics::GroupTable groups_;
};

// Room would be chosen for it all over the shard, in vain.
TEST_F(LearnedLimitsTest, WhatIsTooLargeHasNothingChosen) {
  const auto model = std::make_shared<Counting>();
  L1Options counted = options(std::size_t{1} << 20);
  counted.learning.model = model;
  counted.learning.pinned = "frozen";
  L1Cache cache(counted, clock_, groups_);
  fill(cache, 0, 2'000);
  const ShardStats before = cache.stats();
  const int scorings = model->scorings;
  EXPECT_GT(scorings, 0);
  EXPECT_FALSE(put(cache, 9'999, std::size_t{1} << 19));
  EXPECT_EQ(model->scorings, scorings);
  EXPECT_EQ(cache.stats().entries, before.entries);
  EXPECT_EQ(cache.stats().memory_bytes, before.memory_bytes);
}

TEST_F(LearnedLimitsTest, LargeValuesPushManyOthersOut) {
  L1Options large = options(std::size_t{2} << 20);
  large.learning.pinned = "lru";
  L1Cache cache(large, clock_, groups_);
  fill(cache, 0, 3'000);
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(put(cache, 100'000 + round, 200'000));  // 800 kB
    EXPECT_LE(cache.stats().memory_bytes, large.bytes);
    fill(cache, 10'000 + 1'000 * round, 10'300 + 1'000 * round);
  }
  EXPECT_TRUE(cache.find("k29299")) << "the newest";
}

// What is learned grows by hits and by being asked, too.
TEST_F(LearnedLimitsTest, StaysWithinItsBudgetWhileNothingIsInserted) {
  L1Options bounded = options(std::size_t{512} << 10);
  L1Cache cache(bounded, clock_, groups_);
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 40; ++i) put(cache, round * 20 + i);
    for (int i = 0; i < 100; ++i) (void)cache.find("k" + std::to_string(round * 20 + i % 40));
    (void)cache.learning();
    ASSERT_LE(cache.stats().memory_bytes, bounded.bytes) << round;
  }
}

// Keys that come and go fill no cache, so that nothing is ever chosen.
TEST_F(LearnedLimitsTest, RemembersNoMoreKeysThanBefitsItsEntries) {
  const L1Options bounded = options(std::size_t{1} << 20);
  L1Cache cache(bounded, clock_, groups_);
  for (int key = 0; key < 60'000; ++key) {
    ASSERT_TRUE(put(cache, key)) << key;
    if (key >= 20) cache.erase("k" + std::to_string(key - 20));
  }
  EXPECT_EQ(cache.stats().evictions, 0U);
  EXPECT_EQ(cache.stats().entries, 20U);
  EXPECT_LT(cache.stats().learned_bytes, std::size_t{16} << 10);
}

// What is known of each would take the place of many.
TEST_F(LearnedLimitsTest, LeavesFewEntriesOfASmallShardToAClassicPolicy) {
  for (const auto& [objective, name] : {std::pair{policy::Objective::kMisses, "s3fifo"},
                                        std::pair{policy::Objective::kCost, "gdsf"}}) {
    L1Options small = options(std::size_t{64} << 10);
    small.learning.objective = objective;
    L1Cache cache(small, clock_, groups_);
    fill(cache, 0, 2'000);
    EXPECT_GE(cache.stats().entries, 35U);
    EXPECT_LT(cache.stats().learned_bytes, std::size_t{4} << 10);
    EXPECT_EQ(cache.learning()->leader, name);
    const auto known = cache.judge("k1999");
    ASSERT_TRUE(known);
    EXPECT_TRUE(known->is_held);
    EXPECT_EQ(known->leader, name);
    EXPECT_FALSE(cache.judge("k0"));
    EXPECT_FALSE(cache.predict("k1999"));
  }
}

TEST_F(LearnedLimitsTest, LearnsOfFewEntriesThatAreLarge) {
  L1Cache cache(options(std::size_t{1} << 20), clock_, groups_);
  fill(cache, 0, 500, 4'000);
  EXPECT_GT(cache.stats().learned_bytes, std::size_t{8} << 10);
  EXPECT_TRUE(cache.judge("k499")->is_scored);
}

TEST_F(LearnedLimitsTest, GivesUpTheRoomOfEntriesThatThereWereOnce) {
  const L1Options once = options(std::size_t{2} << 20);
  L1Cache cache(once, clock_, groups_);
  fill(cache, 0, 6'000, 4);
  ASSERT_EQ(cache.stats().evictions, 0U);
  for (int key = 0; key < 6'000; ++key) cache.erase("k" + std::to_string(key));
  ASSERT_GT(cache.stats().learned_bytes, once.bytes / 8);
  fill(cache, 10'000, 10'500, 10'000);
  EXPECT_LT(cache.stats().learned_bytes, once.bytes / 8);
  EXPECT_TRUE(cache.judge("k10499")->is_scored);
}

TEST_F(LearnedLimitsTest, HoldsWhatLittleFits) {
  L1Cache one(options(std::size_t{1} << 30, 1), clock_, groups_);
  for (int key = 0; key < 70'000; ++key) {  // more than there are generations
    ASSERT_TRUE(put(one, key, 4));
    ASSERT_TRUE(one.find("k" + std::to_string(key)));
  }
  EXPECT_EQ(one.stats().entries, 1U);
  L1Cache none(options(0), clock_, groups_);
  fill(none, 0, 10);
  EXPECT_EQ(none.stats().entries, 0U);
  EXPECT_TRUE(none.learning());
  L1Cache least(options(std::size_t{64} << 10), clock_, groups_);
  fill(least, 0, 2'000);
  EXPECT_GE(least.stats().entries, 20U);
  EXPECT_LE(least.stats().memory_bytes, std::size_t{64} << 10);
}

// Of small entries nothing is learned; that ends with them.
TEST_F(LearnedLimitsTest, KeepsItsPinAndItsCountsWhileNothingIsLearned) {
  L1Cache cache(options(std::size_t{1} << 20), clock_, groups_);
  ASSERT_TRUE(cache.pin("arc"));
  fill(cache, 0, 2'000);
  for (int key = 2'000; key < 2'010; ++key) {  // nobody is told: what leaves is not prepared
    for (int other = 0; other < 2'000; ++other) cache.erase("k" + std::to_string(other));
    fill(cache, key, key + 1'000);
  }
  const std::uint64_t unprepared = cache.stats().unprepared;
  fill(cache, 10'000, 40'000, 8);
  EXPECT_GE(cache.stats().unprepared, unprepared);
  cache.clear();
  fill(cache, 50'000, 52'000);
  EXPECT_GT(cache.stats().learned_bytes, 0U);
  EXPECT_EQ(cache.learning()->leader, "arc");
}

TEST_F(LearnedLimitsTest, ManyThatEndAtOnceAreForgotten) {
  L1Cache cache(options(std::size_t{8} << 20, 3'000), clock_, groups_);
  for (int round = 0; round < 5; ++round) {
    for (int key = 0; key < 4'000; ++key) {
      cache.insert("k" + std::to_string(key), Vector(kWide, 1).view(), seconds(10));
    }
    clock_.advance(seconds(11));
    for (int key = 0; key < 4'000; ++key) {
      ASSERT_FALSE(cache.find("k" + std::to_string(key)));
    }
    EXPECT_EQ(cache.stats().entries, 0U);
  }
  fill(cache, 0, 6'000);
  EXPECT_EQ(cache.stats().entries, 3'000U);
}

TEST_F(LearnedLimitsTest, GoesOnAfterItWasClosed) {
  L1Cache cache(options(std::size_t{1} << 20), clock_, groups_);
  fill(cache, 0, 1'000);
  cache.close();
  cache.close();
  fill(cache, 1'000, 3'000);
  EXPECT_LE(cache.stats().memory_bytes, std::size_t{1} << 20);
  EXPECT_TRUE(cache.find("k2999"));
  EXPECT_TRUE(cache.judge("k2999"));
}

}  // namespace
}  // namespace vcache::l1
