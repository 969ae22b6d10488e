#include <gtest/gtest.h>

#include <algorithm>

#include "cache/tiered_cache.hpp"
#include "l2/null_l2.hpp"
#include "support/float_vector.hpp"
#include "support/map_l2.hpp"

namespace vcache::cache {
namespace {

using std::chrono::seconds;
using testing::Vector;

class ListingTest : public ::testing::Test {
 protected:
  void put(std::string_view key) {
    (void)cache_->put(key, Vector(4, 1).view(), {.ttl = seconds(100), .memory_ttl = seconds(10)});
  }
  std::vector<std::string> in_memory(std::string_view prefix) {
    std::vector<std::string> keys;
    std::optional<l1::L1Cache::Place> place{l1::L1Cache::Place{}};
    while (place) place = cache_->list_memory(*place, prefix, keys);
    std::ranges::sort(keys);
    return keys;
  }
  static CacheOptions options() {
    CacheOptions options{.jitter = 0};
    options.memory = {.bytes = 1 << 20, .seed = 3};
    return options;
  }
  base::ManualClock clock_{seconds(1000)};
  testing::MapL2* redis_ = new testing::MapL2;  // NOLINT(cppcoreguidelines-owning-memory)
  std::unique_ptr<TieredCache> cache_ =
      std::make_unique<TieredCache>(options(), std::unique_ptr<l2::L2>(redis_), true, clock_);
};

TEST_F(ListingTest, EachTierHasItsKeys) {
  for (const char* key : {"a:1", "a:2", "b:1"}) put(key);
  clock_.advance(seconds(11));
  put("a:3");
  EXPECT_EQ(in_memory("a:"), std::vector<std::string>{"a:3"});
  l2::L2::Page page;
  EXPECT_TRUE(cache_->list_redis("a:", page).ok());
  EXPECT_TRUE(page.is_last);
  EXPECT_EQ(page.keys, (std::vector<std::string>{"a:1", "a:2", "a:3"}));
}

TEST_F(ListingTest, WhatIsUnverifiedIsListedWhereMemoryStandsIn) {
  put("a");
  cache_->memory().distrust();
  EXPECT_TRUE(in_memory("").empty());
  redis_->silent = true;
  EXPECT_EQ(in_memory(""), std::vector<std::string>{"a"});
}

TEST_F(ListingTest, AFailureIsCountedAndTold) {
  redis_->down = true;
  l2::L2::Page page;
  EXPECT_FALSE(cache_->list_redis("", page).ok());
  EXPECT_EQ(cache_->counters().snapshot().total.errors, 1);
}

TEST_F(ListingTest, KeysAreLookedForInBothTiers) {
  put("memory");
  put("redis");
  (void)cache_->memory().erase("redis");
  const std::vector<std::string_view> keys = {"memory", "redis", "none"};
  std::array<bool, 3> found{};
  EXPECT_TRUE(cache_->contains_many(keys, found).ok());
  EXPECT_EQ(found, (std::array<bool, 3>{true, true, false}));
  redis_->down = true;
  EXPECT_FALSE(cache_->contains_many(keys, found).ok());
  EXPECT_EQ(found, (std::array<bool, 3>{true, false, false}));
}

}  // namespace
}  // namespace vcache::cache
