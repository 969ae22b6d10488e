#include "l1/policy/arc.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "policy_cache.hpp"

namespace vcache::l1::policy {
namespace {

using testing::Key;
using Cache = testing::PolicyCache<Arc>;

// The pseudocode of the paper's figure 4, over plain lists with the most recent key in front.
class Paper {
 public:
  explicit Paper(std::size_t capacity) : c_(capacity) {}

  bool request(Key key) {
    if (take(t1_, key) || take(t2_, key)) {
      t2_.push_front(key);
      return true;
    }
    const auto b1 = static_cast<double>(b1_.size());
    const auto b2 = static_cast<double>(b2_.size());
    if (has(b1_, key)) {
      p_ = std::min(static_cast<double>(c_), p_ + std::max(b2 / b1, 1.0));
      replace(false);
      take(b1_, key);
      t2_.push_front(key);
    } else if (has(b2_, key)) {
      p_ = std::max(0.0, p_ - std::max(b1 / b2, 1.0));
      replace(true);
      take(b2_, key);
      t2_.push_front(key);
    } else {
      make_room();
      t1_.push_front(key);
    }
    return false;
  }
  [[nodiscard]] bool holds(Key key) const { return has(t1_, key) || has(t2_, key); }

 private:
  using Keys = std::deque<Key>;

  static bool has(const Keys& keys, Key key) { return std::ranges::find(keys, key) != keys.end(); }
  static bool take(Keys& keys, Key key) { return std::erase(keys, key) > 0; }
  void make_room() {
    const std::size_t first = t1_.size() + b1_.size();
    const std::size_t all = first + t2_.size() + b2_.size();
    if (first == c_) {
      if (t1_.size() < c_) {
        b1_.pop_back();
        replace(false);
      } else {
        t1_.pop_back();
      }
    } else if (all >= c_) {
      if (all == 2 * c_) b2_.pop_back();
      replace(false);
    }
  }
  void replace(bool from_b2) {
    if (t1_.size() + t2_.size() < c_) return;
    const auto once = static_cast<double>(t1_.size());
    if (!t1_.empty() && (once > p_ || (from_b2 && once == p_))) {
      b1_.push_front(t1_.back());
      t1_.pop_back();
    } else {
      b2_.push_front(t2_.back());
      t2_.pop_back();
    }
  }

  std::size_t c_;
  double p_ = 0;
  Keys t1_;
  Keys t2_;
  Keys b1_;
  Keys b2_;
};

TEST(Arc, HoldsWhatThePaperSays) {
  for (const std::size_t capacity : {1U, 2U, 10U, 60U}) {
    const auto skewed = testing::zipf_trace(6'000, 300, 0.8, capacity);
    const auto trace = testing::with_scans(skewed, 400, 2 * capacity);
    Cache cache(capacity, Arc());
    Paper paper(capacity);
    for (std::size_t i = 0; i < trace.size(); ++i) {
      ASSERT_EQ(cache.request(trace[i]), paper.request(trace[i])) << "request " << i;
      ASSERT_FALSE(paper.holds(cache.victim()));
    }
  }
}

TEST(Arc, ScanLeavesWhatWasUsedAgain) {
  Cache cache(10, Arc());
  for (Key key = 0; key < 5; ++key) cache.request(key);
  for (Key key = 0; key < 5; ++key) cache.request(key);
  for (Key key = 100; key < 200; ++key) cache.request(key);
  for (Key key = 0; key < 5; ++key) EXPECT_TRUE(cache.holds(key));
}

TEST(Arc, GhostOfTheFirstListMakesThatListLarger) {
  Cache cache(4, Arc());
  cache.request(1);
  cache.request(1);
  for (Key key = 10; key < 14; ++key) cache.request(key);  // 10 leaves and becomes a ghost
  EXPECT_FALSE(cache.holds(10));
  EXPECT_FALSE(cache.request(10));  // target 1: it comes in beside 1, and 11 leaves
  EXPECT_EQ(cache.victim(), 11U);
  cache.request(12);
  cache.request(13);  // the first list is empty
  cache.request(20);
  EXPECT_EQ(cache.victim(), 1U);  // the first list is within its target
}

TEST(Arc, ErasureLeavesNoGhost) {
  Arc policy;
  policy.on_insert(0, {.key_hash = 1, .bytes = 1});
  policy.on_insert(1, {.key_hash = 2, .bytes = 1});
  policy.on_erase(0);
  policy.on_insert(0, {.key_hash = 1, .bytes = 1});  // in the first list again
  EXPECT_EQ(policy.evict(), 1U);
}

TEST(Arc, ToldOfAMissTwiceItAdaptsOnce) {
  const auto trace = testing::zipf_trace(5'000, 200, 0.7, 1);
  Cache once(20, Arc());
  testing::PolicyCache<Arc> twice(20, Arc());
  for (const Key key : trace) {
    if (!twice.holds(key)) twice.tell_miss(key);
    ASSERT_EQ(once.request(key), twice.request(key));
  }
}

TEST(Arc, GhostsStayAsFewAsEntries) {
  Arc policy;
  std::mt19937_64 random(5);
  for (EntryId id = 0; id < 100; ++id) policy.on_insert(id, {random(), 1'000'000, 0});
  const std::size_t before = policy.memory_bytes();
  for (int i = 0; i < 50'000; ++i) {  // small ones come and go beside the large ones
    const EntryId id = policy.evict();
    policy.on_insert(id, {.key_hash = random(), .bytes = 1});
    if (i % 2 == 0) policy.on_hit(id);
  }
  EXPECT_LE(policy.memory_bytes() - before, 102U * 40U);
}

}  // namespace
}  // namespace vcache::l1::policy
