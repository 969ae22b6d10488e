#include "l1/policy/sieve.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "policy_cache.hpp"

namespace vcache::l1::policy {
namespace {

using testing::Key;
using Cache = testing::PolicyCache<Sieve>;

// Worked by hand, after the figure in the paper: seven objects in the order of insertion A to G, of
// which A, B and G were visited; then H, A, D, I, B, J are asked for.
TEST(Sieve, FollowsAWorkedExample) {
  Cache cache(7, Sieve());
  for (const char c : std::string_view("ABCDEFG")) cache.request(static_cast<Key>(c));
  for (const char c : std::string_view("ABG")) cache.request(static_cast<Key>(c));

  EXPECT_FALSE(cache.request('H'));
  EXPECT_EQ(cache.victim(), Key{'C'});  // A and B are passed, their marks cleared
  EXPECT_TRUE(cache.request('A'));
  EXPECT_TRUE(cache.request('D'));
  EXPECT_FALSE(cache.request('I'));
  EXPECT_EQ(cache.victim(), Key{'E'});  // D is passed
  EXPECT_TRUE(cache.request('B'));
  EXPECT_FALSE(cache.request('J'));
  EXPECT_EQ(cache.victim(), Key{'F'});
  for (const char c : std::string_view("ABDGHIJ")) EXPECT_TRUE(cache.holds(static_cast<Key>(c)));
}

TEST(Sieve, HandWrapsFromTheNewEndToTheOldEnd) {
  Sieve sieve;
  for (EntryId id = 0; id < 3; ++id) {
    sieve.on_insert(id, {.bytes = 1});
    sieve.on_hit(id);
  }
  EXPECT_EQ(sieve.evict(), 0U);  // all marks cleared on the way round
  EXPECT_EQ(sieve.evict(), 1U);
  EXPECT_EQ(sieve.evict(), 2U);
}

TEST(Sieve, HandStepsOnWhenItsEntryIsErased) {
  Sieve sieve;
  for (EntryId id = 0; id < 4; ++id) sieve.on_insert(id, {.bytes = 1});
  sieve.on_hit(0);
  EXPECT_EQ(sieve.evict(), 1U);  // the hand now points to 2
  sieve.on_erase(2);
  EXPECT_EQ(sieve.evict(), 3U);
  EXPECT_EQ(sieve.evict(), 0U);
}

// The paper's pseudocode over a plain vector, oldest first.
class NaiveSieve {
 public:
  explicit NaiveSieve(std::size_t capacity) : capacity_(capacity) {}

  Key request(Key key) {
    for (Entry& entry : entries_) {
      if (entry.key != key) continue;
      entry.visited = true;
      return Cache::kNone;
    }
    const Key victim = entries_.size() == capacity_ ? drop() : Cache::kNone;
    entries_.push_back({key, false});
    return victim;
  }

 private:
  struct Entry {
    Key key;
    bool visited;
  };

  Key drop() {
    if (hand_ >= entries_.size()) hand_ = 0;
    while (entries_[hand_].visited) {
      entries_[hand_].visited = false;
      hand_ = (hand_ + 1) % entries_.size();
    }
    const Key key = entries_[hand_].key;
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(hand_));
    if (hand_ == entries_.size()) hand_ = 0;
    return key;
  }

  std::size_t capacity_;
  std::size_t hand_ = 0;
  std::vector<Entry> entries_;
};

TEST(Sieve, AgreesWithThePseudocode) {
  Cache cache(50, Sieve());
  NaiveSieve naive(50);
  for (const Key key : testing::zipf_trace(50'000, 500, 0.8, 3)) {
    cache.request(key);
    ASSERT_EQ(cache.victim(), naive.request(key));
  }
}

}  // namespace
}  // namespace vcache::l1::policy
