#include "cache/redis_hits.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace vcache::cache {
namespace {

std::string key_of(std::uint32_t i) { return "k" + std::to_string(i); }

TEST(RedisHitsTest, CountsEachKeyForItself) {
  RedisHits hits(1);
  std::uint32_t exact = 0;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    for (std::uint32_t n = 1; n <= 1 + i % 5; ++n) ASSERT_GE(hits.add(key_of(i)), n);
    exact += hits.count(key_of(i)) == 1 + i % 5 ? 1 : 0;
  }
  EXPECT_GE(exact, 999U);
  EXPECT_EQ(hits.count("never hit"), 0U);
}

TEST(RedisHitsTest, OneHitWondersHardlyCountForOthers) {
  RedisHits hits(1);
  for (std::uint32_t i = 0; i < 4 * RedisHits::kPeriod - 1; ++i) (void)hits.add(key_of(i));
  std::uint32_t twice = 0;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    twice += hits.count("other" + std::to_string(i)) >= 2 ? 1 : 0;
  }
  EXPECT_LT(twice, 60U) << "a table that is never halved would count them all";
}

TEST(RedisHitsTest, StopsAtTheMost) {
  RedisHits hits(1);
  for (int i = 0; i < 1000; ++i) (void)hits.add("k");
  EXPECT_EQ(hits.count("k"), RedisHits::kMost);
  EXPECT_EQ(hits.count("another"), 0U) << "no carry into the neighbours";
}

TEST(RedisHitsTest, EveryPeriodHalvesWhatWasCounted) {
  RedisHits hits(1);
  for (int i = 0; i < 200; ++i) (void)hits.add("old");
  for (std::uint32_t i = 0; i < RedisHits::kPeriod - 201; ++i) (void)hits.add("busy");
  EXPECT_EQ(hits.count("old"), 200U);
  (void)hits.add("busy");
  EXPECT_EQ(hits.count("old"), 100U);
  EXPECT_EQ(hits.count("busy"), RedisHits::kMost / 2);
  for (std::uint32_t i = 0; i < 8 * RedisHits::kPeriod; ++i) (void)hits.add("busy");
  EXPECT_EQ(hits.count("old"), 0U);
}

TEST(RedisHitsTest, NoHitOfManyThreadsIsLost) {
  RedisHits hits(1);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&hits] {
      for (int i = 0; i < 50; ++i) {
        for (std::uint32_t k = 0; k < 64; ++k) (void)hits.add(key_of(k));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::uint32_t k = 0; k < 64; ++k) EXPECT_GE(hits.count(key_of(k)), 200U);
}

}  // namespace
}  // namespace vcache::cache
