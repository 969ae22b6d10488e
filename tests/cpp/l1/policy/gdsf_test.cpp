#include "l1/policy/gdsf.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "policy_cache.hpp"

namespace vcache::l1::policy {
namespace {

using testing::Key;
using Cache = testing::PolicyCache<Gdsf>;

TEST(Gdsf, LargeEntriesLeaveFirst) {
  Gdsf policy;
  policy.on_insert(0, {.key_hash = 1, .bytes = 100});
  policy.on_insert(1, {.key_hash = 2, .bytes = 1'000});
  policy.on_insert(2, {.key_hash = 3, .bytes = 10});
  EXPECT_EQ(policy.evict(), 1U);
  EXPECT_EQ(policy.evict(), 0U);
}

TEST(Gdsf, UsesMakeUpForSize) {
  Gdsf policy;
  policy.on_insert(0, {.key_hash = 1, .bytes = 300});
  policy.on_insert(1, {.key_hash = 2, .bytes = 100});
  for (int i = 0; i < 3; ++i) policy.on_hit(0);  // 4 / 300 against 1 / 100
  EXPECT_EQ(policy.evict(), 1U);
}

TEST(Gdsf, CostlyEntriesStay) {
  Gdsf policy;
  policy.on_insert(0, {.key_hash = 1, .bytes = 100, .cost = 0.5F});
  policy.on_insert(1, {.key_hash = 2, .bytes = 100, .cost = 0.05F});
  EXPECT_EQ(policy.evict(), 1U);
}

TEST(Gdsf, AnUnknownCostIsOne) {
  Gdsf policy;
  policy.on_insert(0, {.key_hash = 1, .bytes = 10, .cost = 0.9F});
  policy.on_insert(1, {.key_hash = 2, .bytes = 10});
  policy.on_insert(2, {.key_hash = 3, .bytes = 10, .cost = 1.1F});
  for (const EntryId victim : {0U, 1U, 2U}) EXPECT_EQ(policy.evict(), victim);
}

TEST(Gdsf, AmongEqualsTheLeastRecentlyUsedLeaves) {
  Cache cache(3, Gdsf());
  for (const Key key : {1U, 2U, 3U, 1U, 2U, 3U, 1U}) cache.request(key);  // 2, 3: two uses each
  cache.request(4);
  EXPECT_EQ(cache.victim(), 2U);
}

TEST(Gdsf, FormerFavouritesAgeAway) {
  Cache cache(4, Gdsf());
  for (int i = 0; i < 10; ++i) cache.request(1);
  for (Key key = 100; key < 200; ++key) cache.request(key);
  EXPECT_FALSE(cache.holds(1));
}

TEST(Gdsf, OddCostsDoNoHarm) {
  Gdsf policy;
  const auto limits = std::numeric_limits<float>();
  policy.on_insert(0, {.key_hash = 1, .bytes = 1, .cost = limits.infinity()});
  policy.on_insert(1, {.key_hash = 2, .bytes = 1, .cost = limits.quiet_NaN()});
  policy.on_insert(2, {.key_hash = 3, .bytes = 0, .cost = -1});
  EXPECT_EQ(policy.evict(), 1U);
  EXPECT_EQ(policy.evict(), 2U);
  EXPECT_EQ(policy.evict(), 0U);
  policy.on_insert(0, {.key_hash = 1, .bytes = 1});
  EXPECT_EQ(policy.evict(), 0U);
}

}  // namespace
}  // namespace vcache::l1::policy
