#include "l1/policy/wtinylfu.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

#include "l1/policy/fingerprint.hpp"
#include "policy_cache.hpp"

namespace vcache::l1::policy {
namespace {

using testing::Key;
using Cache = testing::PolicyCache<WTinyLfu>;

TEST(WTinyLfu, ScanLeavesFrequentEntriesAlone) {
  Cache cache(100, WTinyLfu(1));
  for (int round = 0; round < 5; ++round) {
    for (Key key = 0; key < 80; ++key) cache.request(key);
  }
  for (Key key = 1'000; key < 1'500; ++key) cache.request(key);
  int kept = 0;
  for (Key key = 0; key < 80; ++key) kept += cache.holds(key) ? 1 : 0;
  EXPECT_GE(kept, 78);
}

TEST(WTinyLfu, KeepsTheNewestEntry) {
  Cache cache(3, WTinyLfu(1));
  for (Key key = 0; key < 3; ++key) {
    for (int uses = 0; uses < 5; ++uses) cache.request(key);
  }
  for (Key key = 10; key < 60; ++key) {
    cache.request(key);
    EXPECT_TRUE(cache.request(key));
  }
}

// A key that was asked for often elsewhere is not judged as a newcomer.
TEST(WTinyLfu, RecallsWhatWasCountedElsewhere) {
  for (const bool recalls : {false, true}) {
    WTinyLfu policy(1);
    for (EntryId id = 0; id < 100; ++id) {
      policy.on_insert(id, {.key_hash = testing::hash_of(id), .bytes = 1});
    }
    FrequencySketch counted;
    counted.reach(100);
    for (int i = 0; i < 9; ++i) counted.add(fingerprint(testing::hash_of(500)));
    if (recalls) policy.recall(counted);
    (void)policy.evict();
    policy.on_insert(500, {.key_hash = testing::hash_of(500), .bytes = 1});
    policy.on_insert(501, {.key_hash = testing::hash_of(501), .bytes = 1});
    EXPECT_EQ(policy.evict() == 500, !recalls);
  }
}

TEST(WTinyLfu, AdmitsWhoBecameMorePopularThanTheVictim) {
  Cache cache(50, WTinyLfu(1));
  for (Key key = 0; key < 50; ++key) cache.request(key);
  for (Key round = 0; round < 4; ++round) {  // 100 is asked for again and again, others once
    cache.request(100);
    cache.request(1'000 + round);
    cache.request(2'000 + round);
  }
  EXPECT_TRUE(cache.holds(100));
}

TEST(WTinyLfu, ProtectsWhatIsUsedAgainUpToEightTenths) {
  WTinyLfu policy(1);
  for (EntryId id = 0; id < 101; ++id) {
    policy.on_insert(id, {.key_hash = testing::hash_of(id), .bytes = 1});
  }
  EXPECT_EQ(policy.evict(), 99U);  // the window keeps 100; 0 to 98 go on probation
  for (EntryId id = 0; id < 99; ++id) policy.on_hit(id);
  // 99 in the main space: 79 stay protected, and the 20 used first are on probation again.
  for (EntryId id = 0; id < 20; ++id) EXPECT_EQ(policy.evict(), id);
}

// A loop larger than the cache is served by frequency, a drift of keys in use for a while by
// recency: the window has to be small, then large.
TEST(WTinyLfu, WindowBecomesAsLargeAsTheRequestsWant) {
  for (const std::size_t capacity : {50U, 200U, 2'000U}) {
    const std::size_t sample = std::max<std::size_t>(2'000, 10 * capacity);
    std::vector<Key> loop;
    for (int round = 0; round < 100; ++round) {
      for (Key key = 0; key < 2 * capacity; ++key) loop.push_back(key);
    }
    std::vector<Key> drift;
    std::mt19937_64 random(capacity);
    for (Key key = capacity; drift.size() < 60 * sample; ++key) {
      drift.push_back(1'000'000 + key);
      drift.push_back(1'000'000 + key - random() % capacity);
    }
    Cache cache(capacity, WTinyLfu(1));
    EXPECT_GT(testing::hit_ratio(cache, loop), 0.3) << capacity;
    EXPECT_GT(testing::hit_ratio(cache, drift), 0.25) << capacity;
  }
}

TEST(WTinyLfu, SeedChangesOnlyAdmissionsByChance) {
  const auto trace = testing::with_scans(testing::zipf_trace(20'000, 2'000, 0.9, 5), 500, 100);
  Cache a(200, WTinyLfu(1));
  Cache b(200, WTinyLfu(2));
  EXPECT_NEAR(testing::hit_ratio(a, trace), testing::hit_ratio(b, trace), 0.01);
}

// Half a count-min sketch of crafted collisions: a frequent victim that nobody asks for any more
// would stay for ever were it not for chance.
TEST(WTinyLfu, FrequentCandidateSometimesBeatsAMoreFrequentVictim) {
  WTinyLfu policy(1);
  policy.on_insert(0, {.key_hash = 1, .bytes = 1});
  for (int i = 0; i < 15; ++i) policy.on_hit(0);
  policy.on_insert(1, {.key_hash = 2, .bytes = 1});
  policy.on_insert(2, {.key_hash = 3, .bytes = 1});
  bool won = false;
  for (int round = 0; round < 20'000 && !won; ++round) {
    const EntryId id = policy.evict();
    won = id == 0;
    policy.on_insert(
        id, {.key_hash = round % 2 == 0 ? std::uint64_t{2} : std::uint64_t{3}, .bytes = 1});
    if (round % 40 == 0) policy.on_hit(id);
  }
  EXPECT_TRUE(won);
}

}  // namespace
}  // namespace vcache::l1::policy
