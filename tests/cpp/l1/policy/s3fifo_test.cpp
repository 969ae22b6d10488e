#include "l1/policy/s3fifo.hpp"

#include <gtest/gtest.h>

#include "policy_cache.hpp"

namespace vcache::l1::policy {
namespace {

using testing::Key;
using Cache = testing::PolicyCache<S3Fifo>;

TEST(S3Fifo, PromotesAtTheSecondUseOnly) {
  Cache cache(10, S3Fifo());
  for (Key key = 0; key < 10; ++key) cache.request(key);
  cache.request(0);
  cache.request(1);
  cache.request(1);
  cache.request(100);
  EXPECT_EQ(cache.victim(), 0U);  // used once
  cache.request(101);
  EXPECT_EQ(cache.victim(), 2U);  // 1 went to the main queue
  EXPECT_TRUE(cache.holds(1));
}

TEST(S3Fifo, ReturningGhostGoesToTheMainQueue) {
  Cache cache(10, S3Fifo());
  for (Key key = 0; key < 11; ++key) cache.request(key);  // 0 leaves
  EXPECT_FALSE(cache.request(0));
  for (Key key = 100; key < 200; ++key) cache.request(key);
  EXPECT_TRUE(cache.holds(0));
  EXPECT_FALSE(cache.holds(199 - 10));
}

TEST(S3Fifo, ForgetsGhostsBeyondNineTenthsOfTheEntries) {
  Cache cache(10, S3Fifo());
  for (Key key = 0; key < 20; ++key) cache.request(key);  // 0 to 9 leave: 0 is the tenth ghost
  EXPECT_FALSE(cache.request(0));
  for (Key key = 100; key < 120; ++key) cache.request(key);
  EXPECT_FALSE(cache.holds(0));
}

TEST(S3Fifo, ErasureLeavesNoGhost) {
  Cache cache(10, S3Fifo());
  for (Key key = 0; key < 10; ++key) cache.request(key);
  cache.erase(5);
  cache.request(5);
  for (Key key = 100; key < 120; ++key) cache.request(key);
  EXPECT_FALSE(cache.holds(5));
}

TEST(S3Fifo, MainQueueGivesARoundForEachUse) {
  S3Fifo policy;
  const auto hash = [](EntryId id) { return testing::hash_of(id); };
  for (EntryId id = 0; id < 3; ++id) {
    policy.on_insert(id, {.key_hash = hash(id), .bytes = 1});
    policy.on_hit(id);
    policy.on_hit(id);
  }
  policy.on_insert(3, {.key_hash = hash(3), .bytes = 1});
  EXPECT_EQ(policy.evict(), 3U);  // 0, 1, 2 go to the main queue, their counts cleared
  policy.on_hit(0);
  for (int i = 0; i < 5; ++i) policy.on_hit(1);  // counts three
  EXPECT_EQ(policy.evict(), 2U);
  EXPECT_EQ(policy.evict(), 0U);
  EXPECT_EQ(policy.evict(), 1U);
}

TEST(S3Fifo, ScanLeavesTheWorkingSetAlone) {
  Cache cache(100, S3Fifo());
  for (int round = 0; round < 4; ++round) {
    for (Key key = 0; key < 80; ++key) cache.request(key);
  }
  for (Key key = 1'000; key < 11'000; ++key) cache.request(key);
  int kept = 0;
  for (Key key = 0; key < 80; ++key) kept += cache.holds(key) ? 1 : 0;
  EXPECT_EQ(kept, 80);
}

}  // namespace
}  // namespace vcache::l1::policy
