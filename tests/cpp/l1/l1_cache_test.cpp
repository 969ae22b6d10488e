#include "l1/l1_cache.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <thread>

#include "l1/detached.hpp"
#include "support/float_vector.hpp"

namespace vcache::l1 {
namespace {

using std::chrono::seconds;
using testing::first_of;
using testing::Vector;

class L1CacheTest : public ::testing::TestWithParam<std::string> {
 protected:
  L1Cache make(std::size_t bytes, std::size_t entries = 0) {
    return {L1Options{.bytes = bytes, .entries = entries, .policy = GetParam(), .seed = 5}, clock_,
            groups_};
  }
  base::ManualClock clock_{seconds(1000)};
  metrics::GroupTable groups_;
};

TEST_P(L1CacheTest, ReturnsWhatWasInserted) {
  L1Cache cache = make(1 << 20);
  cache.insert("a", Vector(8, 1).view(), kNoExpiry);
  cache.insert("b", Vector(8, 2).view(), kNoExpiry);
  EXPECT_EQ(first_of(cache.find("a")), 1);
  EXPECT_EQ(first_of(cache.find("b")), 2);
  EXPECT_FALSE(cache.find("c"));
  EXPECT_EQ(cache.stats().hits, 2U);
}

TEST_P(L1CacheTest, KeepsShapeMetadataAndCost) {
  L1Cache cache = make(1 << 20);
  const Vector rows(12, 3);
  base::ValueView value = rows.view();
  value.shape = {.dims = {3, 2, 2}, .ndim = 3};
  const std::string metadata = "\x81\xa1k\x01";
  value.metadata = std::as_bytes(std::span(metadata));
  value.cost = 0.5F;
  const EntryRef entry = cache.insert_pinned("group:key", value, kNoExpiry);
  EXPECT_EQ(entry->shape(), value.shape);
  EXPECT_EQ(entry->metadata().size(), metadata.size());
  EXPECT_EQ(std::memcmp(entry->metadata().data(), metadata.data(), metadata.size()), 0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(entry->payload().data()) % 16, 0U);
  EXPECT_EQ(first_of(entry), 3);
  (void)cache.find("group:key");
  EXPECT_DOUBLE_EQ(cache.stats().cost_saved, 0.5);
  EXPECT_EQ(cache.stats().group_hits[groups_.id_of("group:other")], 1U);
}

TEST_P(L1CacheTest, ExpiresOnTheClock) {
  L1Cache cache = make(1 << 20);
  cache.insert("a", Vector(8, 1).view(), seconds(10));
  clock_.advance(seconds(9));
  EXPECT_TRUE(cache.find("a"));
  clock_.advance(seconds(1));
  EXPECT_FALSE(cache.find("a"));
  EXPECT_EQ(cache.stats().expired, 1U);
  EXPECT_EQ(cache.stats().entries, 0U);
}

TEST_P(L1CacheTest, TouchMovesTheExpiry) {
  L1Cache cache = make(1 << 20);
  cache.insert("a", Vector(8, 1).view(), seconds(10));
  EXPECT_TRUE(cache.touch("a", seconds(100)));
  EXPECT_FALSE(cache.touch("b", seconds(100)));
  clock_.advance(seconds(50));
  EXPECT_TRUE(cache.find("a"));
}

TEST_P(L1CacheTest, ExpiredEntriesAreSweptByLaterInsertions) {
  L1Cache cache = make(1 << 20);
  for (int i = 0; i < 50; ++i)
    cache.insert("old" + std::to_string(i), Vector(8, 1).view(), seconds(1));
  clock_.advance(seconds(2));
  for (int i = 0; i < 200; ++i)
    cache.insert("new" + std::to_string(i), Vector(8, 1).view(), kNoExpiry);
  EXPECT_EQ(cache.stats().entries, 200U);
  EXPECT_EQ(cache.stats().expired, 50U);
}

TEST_P(L1CacheTest, StaysWithinItsBytesWhateverTheSizes) {
  constexpr std::size_t kBytes = 2 << 20;
  L1Cache cache = make(kBytes);
  std::mt19937 random(9);
  for (int i = 0; i < 20000; ++i) {
    const std::size_t width = 1 + random() % 2000;
    cache.insert("k" + std::to_string(random() % 5000), Vector(width, 1).view(), kNoExpiry);
    ASSERT_LE(cache.stats().memory_bytes, kBytes);
  }
  EXPECT_GT(cache.stats().evictions, 0U);
  EXPECT_GT(cache.stats().memory_bytes, kBytes * 3 / 4);
}

TEST_P(L1CacheTest, StaysWithinItsEntries) {
  L1Cache cache = make(1 << 20, 10);
  for (int i = 0; i < 100; ++i) {
    cache.insert("k" + std::to_string(i), Vector(8, 1).view(), kNoExpiry);
    ASSERT_LE(cache.stats().entries, 10U);
  }
  EXPECT_EQ(cache.stats().entries, 10U);
}

TEST_P(L1CacheTest, ReplacingAKeyAtTheLimitEvictsNothing) {
  L1Cache cache = make(1 << 20, 3);
  for (const char* key : {"a", "b", "c"}) cache.insert(key, Vector(8, 1).view(), kNoExpiry);
  cache.insert("b", Vector(8, 2).view(), kNoExpiry);
  EXPECT_EQ(cache.stats().entries, 3U);
  EXPECT_EQ(cache.stats().evictions, 0U);
  EXPECT_EQ(first_of(cache.find("b")), 2);
}

TEST_P(L1CacheTest, DeclinesWhatIsLargerThanAShardAndDropsNothingElse) {
  L1Cache cache = make(64 << 10);
  cache.insert("small", Vector(8, 1).view(), kNoExpiry);
  EXPECT_FALSE(cache.insert("large", Vector(100000, 1).view(), kNoExpiry));
  EXPECT_TRUE(cache.find("small"));
  EXPECT_EQ(cache.stats().declined, 1U);
}

TEST_P(L1CacheTest, ADeclinedValueDoesNotLeaveTheOlderOneBehind) {
  L1Cache cache = make(64 << 10);
  cache.insert("key", Vector(8, 1).view(), kNoExpiry);
  EXPECT_FALSE(cache.insert("key", Vector(100000, 2).view(), kNoExpiry));
  EXPECT_FALSE(cache.find("key"));
}

TEST_P(L1CacheTest, StoresNothingWithoutBytes) {
  L1Cache cache = make(0);
  EXPECT_FALSE(cache.insert("a", Vector(8, 1).view(), kNoExpiry));
  EXPECT_FALSE(cache.find("a"));
}

TEST_P(L1CacheTest, PinnedEntriesOutliveEvictionReplacementAndTheCache) {
  std::deque<EntryRef> pinned;
  {
    L1Cache cache = make(256 << 10);
    for (int i = 0; i < 500; ++i) {
      const auto fill = static_cast<float>(i);
      pinned.push_back(
          cache.insert_pinned("k" + std::to_string(i % 100), Vector(400, fill).view(), kNoExpiry));
    }
    EXPECT_GT(cache.stats().pinned_bytes, 0U);
    EXPECT_LE(cache.stats().memory_bytes, std::size_t{256} << 10);
    cache.clear();
    EXPECT_EQ(cache.stats().entries, 0U);
  }
  for (std::size_t i = 0; i < pinned.size(); ++i) {
    ASSERT_TRUE(pinned[i]);
    EXPECT_EQ(first_of(pinned[i]), static_cast<float>(i));
  }
}

TEST_P(L1CacheTest, UnpinnedMemoryComesBack) {
  L1Cache cache = make(256 << 10);
  {
    std::vector<EntryRef> pinned;
    for (int i = 0; i < 300; ++i) {
      pinned.push_back(
          cache.insert_pinned("k" + std::to_string(i), Vector(400, 1).view(), kNoExpiry));
    }
  }
  for (int i = 0; i < 300; ++i)
    cache.insert("n" + std::to_string(i), Vector(400, 1).view(), kNoExpiry);
  EXPECT_EQ(cache.stats().pinned_bytes, 0U);
  EXPECT_EQ(cache.stats().declined, 0U);
}

TEST_P(L1CacheTest, FindManyAgreesWithFind) {
  L1Cache cache = make(64 << 20);  // eight shards
  ASSERT_EQ(cache.shard_count(), 8U);
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) {
    names.push_back("key:" + std::to_string(i));
    if (i % 3 != 0)
      cache.insert(names.back(), Vector(16, static_cast<float>(i)).view(),
                   seconds(i % 2 == 0 ? 1 : 100));
  }
  clock_.advance(seconds(5));
  const std::vector<std::string_view> keys(names.begin(), names.end());
  std::vector<EntryRef> found(keys.size());
  cache.find_many(keys, found);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool there = i % 3 != 0 && i % 2 != 0;
    ASSERT_EQ(static_cast<bool>(found[i]), there) << i;
    if (there) {
      EXPECT_EQ(first_of(found[i]), static_cast<float>(i));
    }
  }
}

TEST_P(L1CacheTest, MatchesAMapWhileNothingIsEvicted) {
  L1Cache cache = make(32 << 20);
  std::map<std::string, float> model;
  std::mt19937 random(4);
  for (int step = 0; step < 30000; ++step) {
    const std::string key = "k" + std::to_string(random() % 2000);
    switch (random() % 3) {
      case 0: {
        const auto fill = static_cast<float>(random() % 1000);
        cache.insert(key, Vector(1 + random() % 50, fill).view(), kNoExpiry);
        model[key] = fill;
        break;
      }
      case 1:
        ASSERT_EQ(cache.erase(key), model.erase(key) == 1);
        break;
      default: {
        const EntryRef entry = cache.find(key);
        ASSERT_EQ(static_cast<bool>(entry), model.contains(key));
        if (entry) {
          ASSERT_EQ(first_of(entry), model[key]);
        }
      }
    }
  }
  EXPECT_EQ(cache.stats().entries, model.size());
}

// Every value is written whole: its elements are equal, and fit the key.
TEST_P(L1CacheTest, ConcurrentReadersNeverSeeTornOrForeignValues) {
  L1Cache cache = make(1 << 20);
  std::atomic<int> wrong{0};
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int step = 0; step < 8000; ++step) {
      const auto number = random() % 400;
      const std::string key = "k" + std::to_string(number);
      if (random() % 4 == 0)
        cache.insert(key, Vector(300, static_cast<float>(number)).view(), kNoExpiry);
      if (random() % 64 == 0) cache.erase(key);
      const EntryRef entry = cache.find(key);
      if (!entry) continue;
      const auto* data = reinterpret_cast<const float*>(entry->payload().data());
      for (int i = 0; i < 300; ++i) wrong += data[i] != static_cast<float>(number) ? 1 : 0;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 4; ++seed) threads.emplace_back(work, seed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(L1CacheTest, ANewcomerIsNotEvictedByItsOwnInsertion) {
  L1Cache cache = make(1 << 20, 8);
  for (int i = 0; i < 8; ++i) {
    cache.insert("old" + std::to_string(i), Vector(8, 1).view(), kNoExpiry);
    for (int use = 0; use < 4; ++use) (void)cache.find("old" + std::to_string(i));
  }
  for (int i = 0; i < 50; ++i) {
    const std::string key = "new" + std::to_string(i);
    cache.insert(key, Vector(8, 2).view(), kNoExpiry);
    ASSERT_TRUE(cache.peek(key)) << i;
    ASSERT_EQ(cache.stats().entries, 8U);
  }
}

// A value of an eighth of the budget may cost its own size in others, not the whole shard.
TEST_P(L1CacheTest, ALargeValueEvictsAboutItsOwnSize) {
  constexpr std::size_t kBytes = 8 << 20;
  L1Cache cache = make(kBytes);
  for (int i = 0; i < 6000; ++i) {
    cache.insert("k" + std::to_string(i), Vector(384, 1).view(), kNoExpiry);
  }
  const auto full = cache.stats();
  ASSERT_TRUE(cache.insert("large", Vector(262144, 1).view(), kNoExpiry));
  EXPECT_TRUE(cache.peek("large"));
  const std::size_t left = (full.entries - cache.stats().entries) * 1600;
  EXPECT_LE(left, std::size_t{3} << 20);
  EXPECT_LE(cache.stats().memory_bytes, kBytes);
}

TEST_P(L1CacheTest, HeldViewsDoNotKeepALargeValueOut) {
  L1Cache cache = make(8 << 20);
  std::vector<EntryRef> held;
  for (int i = 0; i < 5000; ++i) {
    const std::string key = "k" + std::to_string(i);
    cache.insert(key, Vector(384, 1).view(), kNoExpiry);
    if (i % 300 == 0) held.push_back(cache.find(key));
  }
  ASSERT_TRUE(cache.insert("large", Vector(524288, 1).view(), kNoExpiry));
  EXPECT_GT(cache.stats().entries, 1000U);
  EXPECT_EQ(cache.stats().declined, 0U);
}

TEST_P(L1CacheTest, AValueThatLeavesNoRoomForTheTablesIsDeclinedAndDropsNothing) {
  constexpr std::size_t kBytes = 1 << 20;
  L1Cache cache = make(kBytes);
  for (int i = 0; i < 500; ++i) {
    cache.insert("k" + std::to_string(i), Vector(8, 1).view(), kNoExpiry);
  }
  EXPECT_FALSE(cache.insert("large", Vector(kBytes / 4 - 100, 1).view(), kNoExpiry));
  EXPECT_EQ(cache.stats().entries, 500U);
}

TEST_P(L1CacheTest, ClearGivesTheTablesBack) {
  L1Cache cache = make(4 << 20);
  const std::size_t empty = cache.stats().memory_bytes;
  for (int i = 0; i < 5000; ++i) {
    cache.insert("k" + std::to_string(i), Vector(8, 1).view(), kNoExpiry);
  }
  const std::size_t filled = cache.stats().memory_bytes;
  cache.clear();
  EXPECT_LT(cache.stats().memory_bytes - empty, (filled - empty) / 2);
  EXPECT_TRUE(cache.insert("again", Vector(8, 1).view(), kNoExpiry));
  EXPECT_TRUE(cache.find("again"));
}

class ClosedGate final : public Gate {
 public:
  [[nodiscard]] bool is_open() const noexcept override { return false; }
};

TEST_P(L1CacheTest, AClosedGateKeepsTheEntryThatIsThere) {
  L1Cache cache = make(1 << 20);
  cache.insert("key", Vector(8, 1).view(), kNoExpiry);
  for (const std::size_t width : {8U, 5000U}) {  // copied under the lock, and outside of it
    const Identity identity = cache.identity_of("key", kNoExpiry, base::Nanos{0});
    EXPECT_FALSE(cache.insert_pinned("key", Vector(width, 2).view(), identity, ClosedGate()));
    EXPECT_EQ(first_of(cache.find("key")), 1);
  }
}

TEST_P(L1CacheTest, ALifetimePastTheEndOfTimeIsNone) {
  L1Cache cache = make(1 << 20);
  cache.insert("a", Vector(8, 1).view(), base::Nanos(kNever - 1));
  clock_.advance(std::chrono::hours(24 * 365));
  EXPECT_TRUE(cache.find("a"));
}

INSTANTIATE_TEST_SUITE_P(Policies, L1CacheTest,
                         ::testing::Values("lru", "lfu", "s3fifo", "sieve", "arc", "wtinylfu",
                                           "gdsf", "learned"),
                         [](const auto& test) { return test.param; });

TEST(L1OptionsTest, NamesTheUnknownPolicyAndTheAllowedOnes) {
  const base::Error error = L1Options{.policy = "random"}.validate();
  EXPECT_EQ(error.code, base::ErrorCode::kInvalid);
  EXPECT_NE(error.detail.find("policy='random'"), std::string::npos);
  EXPECT_NE(error.detail.find("s3fifo"), std::string::npos);
}

TEST(L1CacheLruTest, EvictsInLruOrderOnceAccessesAreNoted) {
  base::ManualClock clock(seconds(1));
  metrics::GroupTable groups;
  L1Cache cache({.bytes = 1 << 20, .entries = 3, .policy = "lru", .seed = 1}, clock, groups);
  for (const char* key : {"a", "b", "c"}) cache.insert(key, Vector(8, 1).view(), kNoExpiry);
  (void)cache.find("a");
  (void)cache.peek("b");  // a peek is no access
  cache.insert("d", Vector(8, 1).view(), kNoExpiry);
  EXPECT_FALSE(cache.peek("b"));
  EXPECT_TRUE(cache.peek("a"));
}

TEST(DetachedTest, HoldsItsValueWithoutACache) {
  const EntryRef entry = make_detached("key", Vector(1000, 7).view(), {.created = 5, .group = 3});
  EXPECT_EQ(first_of(entry), 7);
  EXPECT_EQ(entry->key(), "key");
  EXPECT_EQ(entry->created, 5);
  EXPECT_EQ(entry->expires, kNever);
  EXPECT_EQ(entry->group, 3);
}

}  // namespace
}  // namespace vcache::l1
