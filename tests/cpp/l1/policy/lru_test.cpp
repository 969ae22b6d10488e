#include "l1/policy/lru.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "policy_cache.hpp"

namespace vcache::l1::policy {
namespace {

using testing::Key;

TEST(Lru, EvictsInOrderOfLastUse) {
  Lru lru;
  for (EntryId id = 0; id < 4; ++id) lru.on_insert(id, {.bytes = 10});
  lru.on_hit(0);
  lru.on_update(2, {.bytes = 30});
  EXPECT_EQ(lru.bytes(), 60U);
  EXPECT_EQ(lru.evict(), 1U);
  EXPECT_EQ(lru.evict(), 3U);
  EXPECT_EQ(lru.evict(), 0U);
  EXPECT_EQ(lru.evict(), 2U);
}

TEST(Lru, CostsTwelveBytesAnEntry) {
  Lru lru;
  for (EntryId id = 0; id < 1'000; ++id) lru.on_insert(id, {.bytes = 10});
  EXPECT_EQ(lru.memory_bytes(), 12'000U);
}

// Keys in order of use, the last one at the end.
class NaiveLru {
 public:
  explicit NaiveLru(std::size_t capacity) : capacity_(capacity) {}

  Key request(Key key) {
    const auto found = std::find(keys_.begin(), keys_.end(), key);
    Key victim = testing::PolicyCache<Lru>::kNone;
    if (found != keys_.end()) {
      keys_.erase(found);
    } else if (keys_.size() == capacity_) {
      victim = keys_.front();
      keys_.erase(keys_.begin());
    }
    keys_.push_back(key);
    return victim;
  }

 private:
  std::size_t capacity_;
  std::vector<Key> keys_;
};

TEST(Lru, AgreesWithANaiveOne) {
  testing::PolicyCache<Lru> cache(50, Lru());
  NaiveLru naive(50);
  for (const Key key : testing::zipf_trace(50'000, 500, 0.8, 1)) {
    cache.request(key);
    ASSERT_EQ(cache.victim(), naive.request(key));
  }
}

}  // namespace
}  // namespace vcache::l1::policy
