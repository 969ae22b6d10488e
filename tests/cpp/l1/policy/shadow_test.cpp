#include "l1/policy/shadow.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <list>
#include <random>
#include <set>
#include <vector>

#include "l1/policy/arc.hpp"
#include "l1/policy/lru.hpp"
#include "l1/policy/wtinylfu.hpp"
#include "policy_cache.hpp"

namespace vcache::l1::policy {
namespace {

using testing::Key;

Candidate candidate_of(Key key, std::uint32_t bytes = 1) {
  return {.key_hash = testing::hash_of(key), .bytes = bytes};
}

TEST(Shadow, HoldsWhatALiveCacheOfThePolicyWould) {
  const auto trace = testing::with_scans(testing::zipf_trace(20'000, 1'000, 0.9, 1), 500, 100);
  testing::PolicyCache<Arc> live(100, Arc());
  Shadow<Arc> shadow(Arc(), 100);
  for (const Key key : trace) {
    std::vector<std::uint64_t> evicted;
    const bool hit = shadow.access(candidate_of(key), [&](auto hash) { evicted.push_back(hash); });
    ASSERT_EQ(hit, live.request(key));
    ASSERT_TRUE(shadow.holds(testing::hash_of(key)));
    if (live.victim() == testing::PolicyCache<Arc>::kNone) {
      ASSERT_TRUE(evicted.empty());
    } else {
      ASSERT_EQ(evicted, std::vector{testing::hash_of(live.victim())});
    }
  }
  EXPECT_EQ(shadow.size(), live.size());
}

TEST(Shadow, StaysWithinItsBytesAndTellsOfEveryVictim) {
  Shadow<WTinyLfu> shadow(WTinyLfu(1), 10'000);
  std::set<std::uint64_t> held;
  std::mt19937_64 random(4);
  for (int i = 0; i < 50'000; ++i) {
    const Key key = random() % 3'000;
    const std::uint64_t hash = testing::hash_of(key);
    const auto bytes = static_cast<std::uint32_t>(key % 700);
    const bool hit = shadow.access(candidate_of(key, bytes),
                                   [&](auto victim) { ASSERT_EQ(held.erase(victim), 1U); });
    ASSERT_EQ(hit, held.contains(hash));
    held.insert(hash);
    if (i % 7 == 0) {
      ASSERT_EQ(shadow.erase(testing::hash_of(key + 1)), held.erase(testing::hash_of(key + 1)) > 0);
    }
    ASSERT_LE(shadow.bytes(), shadow.capacity());
    ASSERT_EQ(shadow.size(), held.size());
  }
}

TEST(Shadow, NeverHoldsWhatIsLargerThanItself) {
  Shadow<Lru> shadow(Lru(), 100);
  EXPECT_FALSE(shadow.access(candidate_of(1, 60)));
  EXPECT_FALSE(shadow.access(candidate_of(2, 101)));
  EXPECT_FALSE(shadow.holds(testing::hash_of(2)));
  EXPECT_TRUE(shadow.access(candidate_of(1, 60)));
  Shadow<Lru> none(Lru(), 0);
  EXPECT_FALSE(none.access(candidate_of(1)));
  EXPECT_FALSE(none.access(candidate_of(1)));
}

TEST(Shadow, AnUpdateThatGrowsAnEntryEvictsOthers) {
  Shadow<Lru> shadow(Lru(), 100);
  for (Key key = 0; key < 4; ++key) shadow.access(candidate_of(key, 25));
  int evicted = 0;
  shadow.update(candidate_of(0, 60), [&](std::uint64_t) { ++evicted; });
  EXPECT_EQ(evicted, 2);
  EXPECT_TRUE(shadow.holds(testing::hash_of(0)));
  shadow.update(candidate_of(9, 60), [&](std::uint64_t) { ++evicted; });  // is not held
  EXPECT_FALSE(shadow.holds(testing::hash_of(9)));
  shadow.update(candidate_of(0, 500), [&](std::uint64_t) { ++evicted; });
  EXPECT_EQ(shadow.size(), 0U);
}

TEST(Shadow, ASmallerCapacityEvicts) {
  Shadow<Lru> shadow(Lru(), 10);
  for (Key key = 0; key < 10; ++key) shadow.access(candidate_of(key));
  std::list<std::uint64_t> evicted;
  shadow.set_capacity(7, [&](auto hash) { evicted.push_back(hash); });
  EXPECT_EQ(evicted, (std::list{testing::hash_of(0), testing::hash_of(1), testing::hash_of(2)}));
  EXPECT_EQ(shadow.size(), 7U);
}

TEST(Shadow, CostsAFewBytesAnEntryBesideItsPolicy) {
  Shadow<Lru> shadow(Lru(), 1'000);
  for (Key key = 0; key < 50'000; ++key) shadow.access(candidate_of(key));
  EXPECT_GT(shadow.memory_bytes(), 1'000U * 12);
  EXPECT_LE(shadow.memory_bytes(), 1'000U * (12 + 36));
}

}  // namespace
}  // namespace vcache::l1::policy
