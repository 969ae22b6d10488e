#include "l1/policy/lfu.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "policy_cache.hpp"

namespace vcache::l1::policy {
namespace {

using testing::Key;

TEST(Lfu, EvictsTheLeastUsedFirst) {
  Lfu lfu;
  for (EntryId id = 0; id < 4; ++id) lfu.on_insert(id, {.bytes = 10});
  lfu.on_hit(0);
  lfu.on_hit(0);
  lfu.on_hit(1);
  lfu.on_update(3, {.bytes = 40});
  EXPECT_EQ(lfu.bytes(), 70U);
  EXPECT_EQ(lfu.evict(), 2U);
  EXPECT_EQ(lfu.evict(), 1U);  // as often as 3, but less recently
  EXPECT_EQ(lfu.evict(), 3U);
  EXPECT_EQ(lfu.evict(), 0U);
}

TEST(Lfu, CountsAnewAfterAReturn) {
  Lfu lfu;
  lfu.on_insert(0, {.bytes = 1});
  for (int i = 0; i < 10; ++i) lfu.on_hit(0);
  EXPECT_EQ(lfu.evict(), 0U);
  lfu.on_insert(0, {.bytes = 1});
  lfu.on_insert(1, {.bytes = 1});
  lfu.on_hit(1);
  EXPECT_EQ(lfu.evict(), 0U);
}

// Searches all entries for the lowest count, then for the oldest use.
class NaiveLfu {
 public:
  explicit NaiveLfu(std::size_t capacity) : capacity_(capacity) {}

  Key request(Key key) {
    ++now_;
    Key victim = testing::PolicyCache<Lfu>::kNone;
    auto entry = std::find_if(entries_.begin(), entries_.end(),
                              [key](const Entry& e) { return e.key == key; });
    if (entry == entries_.end()) {
      if (entries_.size() == capacity_) victim = drop();
      entry = entries_.insert(entries_.end(), Entry{key, 0, 0});
    }
    ++entry->uses;
    entry->last = now_;
    return victim;
  }

 private:
  struct Entry {
    Key key;
    int uses;
    int last;
  };

  Key drop() {
    const auto worst =
        std::min_element(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
          return a.uses != b.uses ? a.uses < b.uses : a.last < b.last;
        });
    const Key key = worst->key;
    entries_.erase(worst);
    return key;
  }

  std::size_t capacity_;
  std::vector<Entry> entries_;
  int now_ = 0;
};

TEST(Lfu, AgreesWithANaiveOne) {
  testing::PolicyCache<Lfu> cache(50, Lfu());
  NaiveLfu naive(50);
  for (const Key key : testing::zipf_trace(50'000, 500, 0.8, 2)) {
    cache.request(key);
    ASSERT_EQ(cache.victim(), naive.request(key));
  }
}

}  // namespace
}  // namespace vcache::l1::policy
