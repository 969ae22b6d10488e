#include "l1/policy/ranking.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace vcache::l1::policy {
namespace {

constexpr std::size_t kEntries = 300;

Candidate candidate_of(EntryId key) {
  return {.key_hash = key * 0x9E3779B97F4A7C15ULL,
          .bytes = 100 + key % 50,
          .cost = static_cast<float>(key % 9)};
}

// A cache of kEntries keys, which are their ids, under a policy.
class Keys {
 public:
  explicit Keys(const std::string& name) : policy(*make_policy(name, 7)) {}

  void use(EntryId key) {
    if (held_.contains(key)) return on_hits(policy, {&key, 1});
    on_miss(policy, candidate_of(key));
    if (size(policy) >= kEntries) held_.erase(evict(policy));
    on_insert(policy, key, candidate_of(key));
    held_[key] = true;
  }

  AnyPolicy policy;

 private:
  std::map<EntryId, bool> held_;
};

Keys used(const std::string& name) {
  Keys keys(name);
  std::mt19937 random(5);  // one in the logarithm, like popularity
  for (int i = 0; i < 5000; ++i) {
    const double draw = std::uniform_real_distribution<double>(0, 1)(random);
    keys.use(static_cast<EntryId>(std::pow(2000.0, draw)));
  }
  return keys;
}

std::vector<EntryId> leaving(AnyPolicy& policy) {
  std::vector<EntryId> order;
  while (size(policy) > 0) order.push_back(evict(policy));
  return order;
}

class RankingTest : public ::testing::TestWithParam<std::string> {};

TEST_P(RankingTest, IsTheReverseOfLeaving) {
  Keys keys = used(GetParam());
  std::vector<EntryId> ranked;
  for (const Ranked& each : ranking(*copy_of(keys.policy))) ranked.push_back(each.id);
  std::vector<EntryId> order = leaving(keys.policy);
  std::ranges::reverse(order);
  EXPECT_GT(order.size(), 200U);
  EXPECT_EQ(ranked, order);
}

TEST_P(RankingTest, WhatIsTakenOverLeavesAsItWouldHave) {
  Keys keys = used(GetParam());
  AnyPolicy other = *make_policy(GetParam(), 7);
  for (const Ranked& each : ranking(*copy_of(keys.policy))) {
    on_restore(other, each.id, candidate_of(each.id), each.standing);
  }
  EXPECT_EQ(size(other), size(keys.policy));
  EXPECT_EQ(bytes(other), bytes(keys.policy));
  const std::vector<EntryId> before = leaving(keys.policy);
  const std::vector<EntryId> after = leaving(other);
  const std::string name = GetParam();
  if (name != "s3fifo" && name != "arc" && name != "wtinylfu") {
    EXPECT_EQ(before, after);
    return;
  }
  // Ghosts, and the places in a queue of those that pass on to another, are not taken over.
  const std::size_t half = before.size() / 2;
  const std::vector<EntryId> first(before.begin(), before.begin() + static_cast<int>(half));
  std::size_t same = 0;
  for (std::size_t i = 0; i < half; ++i) same += std::ranges::count(first, after[i]) > 0 ? 1 : 0;
  EXPECT_GE(same, half * 9 / 10) << name;
}

TEST_P(RankingTest, TakesOverWhatAnotherPolicyKnew) {
  AnyPolicy other = *make_policy(GetParam(), 7);
  for (EntryId id = 0; id < 50; ++id) {
    on_restore(other, id, candidate_of(id), {.uses = 50 - id});
  }
  for (EntryId id = 50; id < 60; ++id) on_insert(other, id, candidate_of(id));
  for (EntryId id = 0; id < 60; id += 3) on_hits(other, {&id, 1});
  for (EntryId id = 0; id < 60; id += 7) on_erase(other, id);
  EXPECT_EQ(leaving(other).size(), 51U);
  EXPECT_EQ(bytes(other), 0U);
}

INSTANTIATE_TEST_SUITE_P(Policies, RankingTest,
                         ::testing::Values("lru", "lfu", "s3fifo", "sieve", "arc", "wtinylfu",
                                           "gdsf"));

TEST(Ranking, OfWhatIsPreparedThereIsNoCopy) { EXPECT_FALSE(copy_of(*make_policy("learned", 1))); }

}  // namespace
}  // namespace vcache::l1::policy
