#include "cache/tiered_cache.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "l2/null_l2.hpp"
#include "support/float_vector.hpp"
#include "support/map_l2.hpp"

namespace vcache::cache {
namespace {

using std::chrono::seconds;
using testing::first_of;

std::array<float, 4> four(float fill) { return {fill, fill, fill, fill}; }

base::ValueView vector_of(std::span<const float> data) {
  base::ValueView view{.kind = base::ValueKind::kVector,
                       .dtype = base::DType::kFloat32,
                       .shape = {.ndim = 1},
                       .payload = std::as_bytes(data)};
  view.shape.dims[0] = static_cast<std::uint32_t>(data.size());
  return view;
}

class TieredCacheTest : public ::testing::Test {
 protected:
  std::unique_ptr<TieredCache> make(std::size_t memory_bytes = 1 << 20) {
    auto redis = std::make_unique<testing::MapL2>();
    redis_ = redis.get();
    CacheOptions options{.ttl = seconds(100), .memory_ttl = seconds(10), .jitter = 0};
    options.memory = {.bytes = memory_bytes, .seed = 3};
    return std::make_unique<TieredCache>(options, std::move(redis), true, clock_);
  }
  static void put(TieredCache& cache, std::string_view key, float fill) {
    const auto data = four(fill);
    (void)cache.put(key, vector_of(data), {.ttl = seconds(100), .memory_ttl = seconds(10)});
  }
  // As Python's get: memory, then Redis.
  static Located get(TieredCache& cache, std::string_view key) {
    Located located{.entry = cache.find_memory(key), .tier = Tier::kMemory};
    if (!located.entry) {
      located.tier = Tier::kNone;
      (void)cache.find_redis(key, located);
    }
    return located;
  }
  base::ManualClock clock_{seconds(1000)};
  testing::MapL2* redis_ = nullptr;
};

TEST_F(TieredCacheTest, WritesBothTiersAndPromotesFromRedis) {
  const auto cache = make();
  put(*cache, "a", 1);
  EXPECT_EQ(get(*cache, "a").tier, Tier::kMemory);
  clock_.advance(seconds(11));  // past memory_ttl, before ttl
  EXPECT_EQ(get(*cache, "a").tier, Tier::kRedis);
  EXPECT_EQ(get(*cache, "a").tier, Tier::kMemory);
  const Tally total = cache->counters().snapshot().total;
  EXPECT_EQ(total.redis_hits, 1);
  EXPECT_EQ(total.misses, 0);
}

TEST_F(TieredCacheTest, AValueThatTurnsOutVoidIsAMissAndLeavesMemory) {
  const auto cache = make();
  put(*cache, "k", 1);
  clock_.advance(seconds(11));  // past memory_ttl, before ttl
  redis_->forgets = true;
  const Located located = get(*cache, "k");
  EXPECT_FALSE(located.entry);
  EXPECT_EQ(located.tier, Tier::kNone);
  EXPECT_FALSE(cache->find_memory("k"));
}

TEST_F(TieredCacheTest, WithoutMemoryRedisStillAnswers) {
  const auto cache = make(0);
  put(*cache, "a", 1);
  const Located located = get(*cache, "a");
  EXPECT_EQ(located.tier, Tier::kRedis);
  EXPECT_EQ(first_of(located.entry), 1);
}

TEST_F(TieredCacheTest, AFailureOfRedisIsACountedMiss) {
  const auto cache = make();
  redis_->down = true;
  put(*cache, "a", 1);
  EXPECT_EQ(get(*cache, "a").tier, Tier::kMemory);
  EXPECT_FALSE(get(*cache, "b").entry);
  const Tally total = cache->counters().snapshot().total;
  EXPECT_EQ(total.misses, 1);
  EXPECT_EQ(total.errors, 2);
}

TEST_F(TieredCacheTest, FailuresOfTouchContainsAndClearAreCounted) {
  const auto cache = make();
  redis_->down = true;
  bool found = false;
  const auto errors = [&] { return cache->counters().snapshot().total.errors; };
  EXPECT_FALSE(cache->touch("a", {.ttl = seconds(1), .memory_ttl = seconds(1)}, found).ok());
  EXPECT_EQ(errors(), 1);
  EXPECT_FALSE(cache->contains("a", found).ok());
  EXPECT_EQ(errors(), 2);
  EXPECT_FALSE(cache->clear().ok());
  EXPECT_EQ(errors(), 3);
}

// What Redis does not ask for is in memory all the same.
TEST_F(TieredCacheTest, ABatchEntersMemoryWithRedisDown) {
  const auto cache = make();
  redis_->down = true;
  const auto data = four(7);
  const std::array<std::string_view, 3> keys = {"a", "b", "c"};
  const std::array<base::ValueView, 3> values = {vector_of(data), vector_of(data), vector_of(data)};
  (void)cache->put_many(keys, values, {.ttl = seconds(100), .memory_ttl = seconds(10)});
  for (const std::string_view key : keys) EXPECT_TRUE(cache->peek_memory(key)) << key;
}

TEST_F(TieredCacheTest, AFetchThatADeleteOvertookLeavesNothingInMemory) {
  const auto cache = make();
  put(*cache, "a", 1);
  cache->memory().clear();
  redis_->after_fetch = [&] {
    const std::string_view key = "a";
    std::size_t erased = 0;
    (void)cache->erase({&key, 1}, erased);
  };
  (void)get(*cache, "a");  // may still see the value: it began before the delete
  EXPECT_FALSE(cache->peek_memory("a"));
  EXPECT_FALSE(get(*cache, "a").entry);
}

TEST_F(TieredCacheTest, AFetchThatAWriteOvertookDoesNotHideTheNewerValue) {
  const auto cache = make();
  put(*cache, "a", 1);
  cache->memory().clear();
  redis_->after_fetch = [&] { put(*cache, "a", 2); };
  (void)get(*cache, "a");
  EXPECT_EQ(first_of(get(*cache, "a").entry), 2);
}

TEST_F(TieredCacheTest, AFetchThatAWriteOvertookLeavesTheNewerValueInMemory) {
  const auto cache = make();
  put(*cache, "a", 1);
  cache->memory().clear();
  redis_->after_fetch = [&] {
    redis_->down = true;  // refuses the newer value, which only memory then holds
    put(*cache, "a", 2);
    redis_->down = false;
  };
  EXPECT_EQ(first_of(get(*cache, "a").entry), 1);  // the read began before the write
  ASSERT_TRUE(cache->peek_memory("a"));
  EXPECT_EQ(first_of(cache->peek_memory("a")), 2);
}

TEST_F(TieredCacheTest, AValueThatMemoryDoesNotKeepHasItsAgeExpiryAndGroup) {
  const auto cache = make(0);
  put(*cache, "g:a", 1);
  const Located located = get(*cache, "g:a");
  ASSERT_TRUE(located.entry);
  EXPECT_EQ(located.entry->created, cache->memory().now());
  EXPECT_EQ(located.entry->expires, cache->memory().now() + base::Nanos(seconds(10)).count());
  EXPECT_EQ(cache->groups().names().at(located.entry->group), "g");
}

TEST_F(TieredCacheTest, AFetchDuringAWriteLeavesNothingOlderBehind) {
  const auto cache = make();
  put(*cache, "a", 1);
  redis_->before_store = [&] {
    cache->memory().clear();  // as if evicted while the write waits for Redis
    EXPECT_EQ(first_of(get(*cache, "a").entry), 1);
  };
  put(*cache, "a", 2);
  EXPECT_EQ(first_of(get(*cache, "a").entry), 2);
}

TEST_F(TieredCacheTest, OverlappingWritesLeaveNoCopyThatRedisContradicts) {
  const auto cache = make();
  redis_->before_store = [&] {
    put(*cache, "a", 2);  // a whole write inside the first one's wait
  };
  put(*cache, "a", 1);  // reaches Redis last
  EXPECT_EQ(first_of(get(*cache, "a").entry), 1);
}

TEST_F(TieredCacheTest, AFetchThatAClearOvertookLeavesNothingInMemory) {
  const auto cache = make();
  put(*cache, "a", 1);
  cache->memory().clear();
  redis_->after_fetch = [&] { (void)cache->clear(); };
  (void)get(*cache, "a");
  EXPECT_FALSE(cache->peek_memory("a"));
}

TEST_F(TieredCacheTest, BatchesKeepTheirCopiesInMemory) {
  const auto cache = make();
  std::vector<std::string> names;
  for (int i = 0; i < 512; ++i) names.push_back("k" + std::to_string(i));
  const std::vector<std::string_view> keys(names.begin(), names.end());
  const auto data = four(1);
  const std::vector<base::ValueView> values(keys.size(), vector_of(data));
  (void)cache->put_many(keys, values, {.ttl = seconds(100), .memory_ttl = seconds(10)});
  EXPECT_EQ(cache->memory().stats().entries, keys.size());
}

TEST_F(TieredCacheTest, GetVectorsCountsAMismatchAsAMiss) {
  const auto cache = make();
  put(*cache, "a", 1);
  const std::array<float, 3> shorter{};
  (void)cache->put("b", vector_of(shorter), {.ttl = seconds(100), .memory_ttl = seconds(10)});
  const std::array<std::string_view, 3> keys{"a", "b", "c"};
  std::array<float, 12> matrix;
  matrix.fill(9);
  std::array<bool, 3> found{};
  Tier slowest = Tier::kNone;
  (void)cache->get_vectors(
      keys,
      {.width = 4, .data = reinterpret_cast<std::byte*>(matrix.data()), .found = found.data()},
      slowest);
  EXPECT_EQ(found, (std::array<bool, 3>{true, false, false}));
  EXPECT_EQ(matrix, (std::array<float, 12>{1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
  const Tally total = cache->counters().snapshot().total;
  EXPECT_EQ(total.mismatch, 1);
  EXPECT_EQ(total.misses, 2);
  EXPECT_EQ(static_cast<std::int64_t>(cache->memory().stats().hits) + total.memory_hits, 1);
}

TEST_F(TieredCacheTest, JitterOnlyShortens) {
  CacheOptions options{.ttl = seconds(100), .memory_ttl = seconds(100), .jitter = 0.5};
  options.memory = {.bytes = 1 << 20, .seed = 3};
  TieredCache cache(options, std::make_unique<l2::NullL2>(), false, clock_);
  for (int i = 0; i < 200; ++i) put(cache, "k" + std::to_string(i), 1);
  clock_.advance(seconds(4));
  EXPECT_EQ(cache.memory().stats().entries, 200U);
  std::size_t alive = 0;
  for (int i = 0; i < 200; ++i) {
    const l1::EntryRef entry = cache.peek_memory("k" + std::to_string(i));
    const std::int64_t left = entry->expires - clock_.steady().count();
    ASSERT_LE(left, base::Nanos(seconds(6)).count());  // memory_ttl 10 s, 4 s gone
    ASSERT_GE(left, base::Nanos(seconds(1)).count());
    alive += left > base::Nanos(std::chrono::milliseconds(3500)).count() ? 1 : 0;
  }
  EXPECT_GT(alive, 50U);
  EXPECT_LT(alive, 150U);
}

TEST(CacheOptionsTest, NamesWhatIsWrong) {
  EXPECT_NE(CacheOptions{.name = "a:b"}.validate().detail.find("namespace='a:b'"),
            std::string::npos);
  EXPECT_NE(CacheOptions{.jitter = 1.5}.validate().detail.find("jitter=1.5"), std::string::npos);
  EXPECT_TRUE(CacheOptions{}.validate().ok());
}

}  // namespace
}  // namespace vcache::cache
