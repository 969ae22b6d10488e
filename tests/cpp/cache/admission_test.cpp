#include "cache/admission.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cache/tiered_cache.hpp"
#include "l2/null_l2.hpp"
#include "support/float_vector.hpp"
#include "support/map_l2.hpp"

namespace vcache::cache {
namespace {

using std::chrono::seconds;
using testing::first_of;
using testing::Vector;

constexpr Lifetimes kLifetimes{.ttl = seconds(100), .memory_ttl = seconds(10)};
constexpr std::size_t kSmall = 4;   // floats: 16 bytes
constexpr std::size_t kLarge = 64;  // floats: 256 bytes

CacheOptions options_of(std::uint32_t threshold, std::optional<SmallOrHot> admit) {
  CacheOptions options{.ttl = seconds(100),
                       .memory_ttl = seconds(10),
                       .jitter = 0,
                       .promotion_threshold = threshold,
                       .admit = admit};
  options.memory = {.bytes = 1 << 20, .seed = 3};
  return options;
}

class AdmissionTest : public ::testing::Test {
 protected:
  std::unique_ptr<TieredCache> make(const CacheOptions& options) {
    return std::make_unique<TieredCache>(
        options,
        [this](l2::Listener& listener) {
          listener_ = &listener;
          auto redis = std::make_unique<testing::MapL2>();
          redis_ = redis.get();
          return redis;
        },
        true, clock_);
  }
  std::unique_ptr<TieredCache> make(std::uint32_t threshold, std::optional<SmallOrHot> admit = {}) {
    return make(options_of(threshold, admit));
  }
  // What another process stores.
  void write_elsewhere(std::string_view key, float fill, std::size_t width = kSmall) {
    const Vector data(width, fill);
    redis_->write({.key = key, .value = data.view()});
  }
  static void put(TieredCache& cache, std::string_view key, float fill, std::size_t width) {
    const Vector data(width, fill);
    (void)cache.put(key, data.view(), kLifetimes);
  }
  // As Python's get: memory, then Redis.
  static Located get(TieredCache& cache, std::string_view key) {
    Located located{.entry = cache.find_memory(key), .tier = Tier::kMemory};
    if (located.entry) return located;
    located.tier = Tier::kNone;
    (void)cache.find_redis(key, located);
    return located;
  }
  static std::int64_t declined(TieredCache& cache) {
    return cache.counters().snapshot().total.declined;
  }

  base::ManualClock clock_{seconds(1000)};
  testing::MapL2* redis_ = nullptr;
  l2::Listener* listener_ = nullptr;
};

TEST_F(AdmissionTest, AValueEntersMemoryAtItsNthHitInRedis) {
  for (const std::uint32_t threshold : {1U, 2U, 3U, RedisHits::kMost}) {
    const auto cache = make(threshold);
    write_elsewhere("k", 7);
    write_elsewhere("other", 8);
    for (std::uint32_t hit = 1; hit <= threshold; ++hit) {
      EXPECT_FALSE(cache->peek_memory("k")) << hit << " of " << threshold;
      const Located located = get(*cache, "k");
      EXPECT_EQ(located.tier, Tier::kRedis);
      ASSERT_TRUE(located.entry);
      EXPECT_EQ(first_of(located.entry), 7) << "its reader has it all the same";
    }
    EXPECT_EQ(get(*cache, "k").tier, Tier::kMemory);
    EXPECT_EQ(cache->counters().snapshot().total.redis_hits, threshold);
    EXPECT_EQ(declined(*cache), threshold - 1);
    EXPECT_FALSE(cache->peek_memory("other"));
  }
}

TEST_F(AdmissionTest, WhatIsWrittenEntersMemoryWhateverTheThreshold) {
  const auto cache = make(3);
  put(*cache, "k", 1, kLarge);
  const Located located = get(*cache, "k");
  EXPECT_EQ(located.tier, Tier::kMemory);
  EXPECT_FALSE(located.entry->is_from_redis());
  EXPECT_EQ(declined(*cache), 0);
}

TEST_F(AdmissionTest, WhatIsPromotedIsKnownToBe) {
  const auto cache = make(1);
  write_elsewhere("k", 7);
  (void)get(*cache, "k");
  const Located located = get(*cache, "k");
  EXPECT_EQ(located.tier, Tier::kMemory);
  EXPECT_TRUE(located.entry->is_from_redis());
}

TEST_F(AdmissionTest, AValueThatWasInMemoryComesBackAtItsNextHit) {
  const auto cache = make(3);
  write_elsewhere("k", 1);
  for (int i = 0; i < 3; ++i) (void)get(*cache, "k");
  clock_.advance(seconds(11));  // past memory_ttl
  EXPECT_EQ(get(*cache, "k").tier, Tier::kRedis);
  EXPECT_EQ(get(*cache, "k").tier, Tier::kMemory);
}

TEST_F(AdmissionTest, EachOccurrenceInABatchIsAHit) {
  const auto cache = make(3);
  write_elsewhere("a", 1);
  write_elsewhere("b", 2);
  const std::array<std::string_view, 5> keys = {"a", "b", "a", "none", "a"};
  std::array<Located, 5> out;
  (void)cache->find_many(keys, out);
  for (const std::size_t i : {0U, 2U, 4U}) EXPECT_EQ(first_of(out[i].entry), 1) << i;
  EXPECT_EQ(first_of(out[1].entry), 2);
  EXPECT_FALSE(out[3].entry);
  EXPECT_TRUE(cache->peek_memory("a"));
  EXPECT_FALSE(cache->peek_memory("b"));
}

TEST_F(AdmissionTest, ManyReadersAtOnceCountAsMany) {
  constexpr int kThreads = 8;
  const auto cache = make(kThreads);
  write_elsewhere("k", 1);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] { EXPECT_EQ(first_of(get(*cache, "k").entry), 1); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(cache->peek_memory("k"));
}

TEST_F(AdmissionTest, AKeptOutValueLeavesNoUnverifiedCopyOfAnOlderOne) {
  const auto cache = make(3);
  put(*cache, "k", 1, kSmall);
  put(*cache, "same", 1, kSmall);
  listener_->on_link_down();
  listener_->on_link_up();
  write_elsewhere("k", 2);
  EXPECT_EQ(first_of(get(*cache, "k").entry), 2);
  redis_->down = true;
  EXPECT_FALSE(get(*cache, "k").entry) << "not the value before the one that was read";
  EXPECT_TRUE(get(*cache, "same").stale) << "of which nothing newer is known";
}

TEST_F(AdmissionTest, AKeptOutValueLeavesWhatWasWrittenSinceItsFetch) {
  const auto cache = make(3);
  put(*cache, "k", 1, kSmall);
  listener_->on_link_down();  // all is unverified from here on
  redis_->after_fetch = [&] { put(*cache, "k", 2, kSmall); };
  EXPECT_EQ(first_of(get(*cache, "k").entry), 1) << "the read began before the write";
  redis_->down = true;
  const Located located = get(*cache, "k");
  ASSERT_TRUE(located.entry);
  EXPECT_EQ(first_of(located.entry), 2);
}

// A change by others would have been told, so that the copy kept for its grace is no older.
TEST_F(AdmissionTest, AKeptOutValueLeavesACopyInItsGrace) {
  CacheOptions options = options_of(3, {});
  options.grace = seconds(60);
  const auto cache = make(options);
  put(*cache, "k", 1, kSmall);
  clock_.advance(seconds(11));
  EXPECT_EQ(get(*cache, "k").tier, Tier::kRedis);
  redis_->down = true;
  EXPECT_TRUE(get(*cache, "k").stale);
}

TEST_F(AdmissionTest, SmallValuesEnterMemoryAndLargeOnesOnceTheyAreHot) {
  const auto cache = make(1, SmallOrHot{.bytes = 16, .hits = 5});
  write_elsewhere("small", 1, kSmall);
  write_elsewhere("large", 2, kSmall + 1);
  (void)get(*cache, "small");
  EXPECT_TRUE(cache->peek_memory("small")) << "of just as many bytes";
  for (int hit = 1; hit <= 6; ++hit) {
    EXPECT_FALSE(cache->peek_memory("large")) << hit;
    EXPECT_EQ(first_of(get(*cache, "large").entry), 2);
  }
  EXPECT_TRUE(cache->peek_memory("large")) << "hit more than five times";
  put(*cache, "large", 3, kLarge);
  EXPECT_EQ(first_of(cache->peek_memory("large")), 3) << "a hot one may be written too";
  EXPECT_EQ(declined(*cache), 5);
}

TEST_F(AdmissionTest, ThresholdAndRuleBothHold) {
  const auto cache = make(3, SmallOrHot{.bytes = 16, .hits = 1});
  for (const std::string_view key : {"small", "large"}) {
    write_elsewhere(key, 1, key == "small" ? kSmall : kLarge);
    for (int hit = 1; hit <= 3; ++hit) {
      EXPECT_FALSE(cache->peek_memory(key)) << key << hit;
      (void)get(*cache, key);
    }
    EXPECT_TRUE(cache->peek_memory(key)) << key;
  }
}

TEST_F(AdmissionTest, AWrittenValueThatIsKeptOutLeavesNoOlderCopy) {
  const auto cache = make(1, SmallOrHot{.bytes = 16, .hits = 50});
  put(*cache, "k", 1, kSmall);
  put(*cache, "k", 2, kLarge);
  EXPECT_FALSE(cache->peek_memory("k"));
  const Located located = get(*cache, "k");
  EXPECT_EQ(located.tier, Tier::kRedis);
  EXPECT_EQ(first_of(located.entry), 2);
  listener_->on_link_down();
  put(*cache, "k", 3, kSmall);  // unverified
  put(*cache, "k", 4, kLarge);
  redis_->down = true;
  EXPECT_FALSE(get(*cache, "k").entry);
}

TEST_F(AdmissionTest, TheLastOfABatchDecides) {
  const auto cache = make(1, SmallOrHot{.bytes = 16, .hits = 50});
  const Vector small(kSmall, 1);
  const Vector large(kLarge, 2);
  const std::array<std::string_view, 4> keys = {"a", "b", "a", "b"};
  const std::array<base::ValueView, 4> values = {small.view(), large.view(), large.view(),
                                                 small.view()};
  (void)cache->put_many(keys, values, kLifetimes);
  EXPECT_FALSE(cache->peek_memory("a"));
  EXPECT_EQ(first_of(cache->peek_memory("b")), 1);
  EXPECT_EQ(first_of(get(*cache, "a").entry), 2);
  EXPECT_EQ(declined(*cache), 3) << "two writes and a hit";
}

TEST_F(AdmissionTest, WithoutRedisEverythingEntersMemory) {
  TieredCache cache(options_of(3, SmallOrHot{.bytes = 0, .hits = 50}),
                    std::make_unique<l2::NullL2>(), false, clock_);
  put(cache, "k", 1, kLarge);
  EXPECT_TRUE(cache.peek_memory("k"));
}

TEST(AdmissionOptionsTest, NameWhatIsWrong) {
  const auto says = [](std::uint32_t threshold, std::optional<SmallOrHot> admit) {
    return options_of(threshold, admit).validate().detail;
  };
  EXPECT_NE(says(0, {}).find("promotion_threshold=0: allowed"), std::string::npos);
  EXPECT_NE(says(256, {}).find("promotion_threshold=256: allowed"), std::string::npos);
  EXPECT_NE(says(1, SmallOrHot{.hits = 255}).find("admit.hits=255: allowed"), std::string::npos);
  EXPECT_EQ(says(255, SmallOrHot{.bytes = 0, .hits = 254}), "");
}

}  // namespace
}  // namespace vcache::cache
