#include "l1/policy/scored.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "policy_cache.hpp"
#include "support/models.hpp"

namespace vcache::l1::policy {
namespace {

using testing::hash_of;

// A history and a policy over it, with the keys' numbers as ids.
struct Judged {
  explicit Judged(Scored::Model model, Objective objective = Objective::kMisses)
      : policy(history, std::move(model), objective, 1) {}

  void insert(EntryId key, std::uint32_t bytes = 1, float cost = 0, std::uint8_t group = 0) {
    history.access(hash_of(key));
    policy.on_insert(
        key, {.key_hash = hash_of(key), .bytes = bytes, .cost = cost, .origin = Origin(group)});
  }
  void hit(EntryId key) {
    history.access(hash_of(key));
    policy.on_hit(key);
  }

  History history;
  Scored policy;
};

// All victims, in order.
std::vector<EntryId> drained(Scored& policy) {
  std::vector<EntryId> victims;
  while (policy.size() > 0) victims.push_back(policy.evict());
  return victims;
}

TEST(Scored, EvictsWhatTheModelRatesLowest) {
  Judged judged(testing::model_of(testing::kAccessesInput, 4));
  for (EntryId key = 0; key < 40; ++key) judged.insert(key);
  for (EntryId key = 0; key < 40; ++key) {
    for (EntryId uses = 0; uses < 3 * ((key * 7) % 40); ++uses) judged.hit(key);
  }
  const std::vector<EntryId> victims = drained(judged.policy);
  ASSERT_EQ(victims.size(), 40U);
  for (std::size_t i = 0; i + 4 < victims.size(); ++i) {  // a batch leaves in order, the next later
    EXPECT_LT((victims[i] * 7) % 40, (victims[i + 4] * 7) % 40 + 8) << i;
  }
}

// One that is told of a fourth of the keys judges by the same times as one that is told of all.
TEST(Scored, KnowsHowManyAccessesItIsNotToldOf) {
  History history;
  Scored all(history, nullptr, Objective::kMisses, 1);
  Scored some(history, nullptr, Objective::kMisses, 1);
  some.set_sampling(4);
  for (EntryId key = 0; key < 4'000; ++key) {
    history.access(hash_of(key));
    all.on_insert(key, {.key_hash = hash_of(key), .bytes = 1});
    if (key % 4 == 0) some.on_insert(key / 4, {.key_hash = hash_of(key), .bytes = 1});
  }
  EXPECT_NEAR(some.mean_residence() / all.mean_residence(), 1, 0.01);
  EXPECT_NEAR(double{some.snapshot(7).log2_residence}, double{all.snapshot(28).log2_residence},
              0.02);
}

TEST(Scored, TellsAModelOfCostsAndSizesOverTheMean) {
  Judged judged(nullptr);
  for (EntryId key = 0; key < 2'000; ++key) judged.insert(key, key % 2 == 0 ? 300 : 100, 0.5F);
  judged.insert(2'000, 200, 4);
  judged.insert(2'001, 200);
  EXPECT_NEAR(double{judged.policy.snapshot(0).log2_size}, std::log2(1.5), 0.01);
  EXPECT_NEAR(double{judged.policy.snapshot(1).log2_size}, -1, 0.01);
  EXPECT_NEAR(double{judged.policy.snapshot(0).log2_cost}, 0, 0.02);
  EXPECT_NEAR(double{judged.policy.snapshot(2'000).log2_cost}, 3, 0.02);
  EXPECT_EQ(judged.policy.snapshot(2'001).log2_cost, 0);  // unknown
}

TEST(Scored, TellsAModelHowWellTheKeyGroupIsReused) {
  Judged judged(nullptr);
  for (EntryId key = 0; key < 2'000; ++key) {
    const auto group = static_cast<std::uint8_t>(key % 3);  // 0 is of any
    judged.insert(key, 1, 0, group);
    for (int i = 0; i < 3 && group == 1; ++i) judged.hit(key);
  }
  EXPECT_EQ(judged.policy.snapshot(0).group_reuse, 0);
  EXPECT_GT(judged.policy.snapshot(1).group_reuse, 0.1F);
  EXPECT_LT(judged.policy.snapshot(2).group_reuse, -0.1F);
  judged.insert(2'000, 1, 0, 40);
  EXPECT_NEAR(double{judged.policy.snapshot(2'000).group_reuse}, 0, 0.01);
}

TEST(Scored, AnAccessSavesAnEntryThatWasAboutToLeave) {
  Judged judged(testing::model_of(testing::kAccessesInput, 4));
  constexpr EntryId kEntries = 2'000;  // a scoring chooses several
  for (EntryId key = 0; key < kEntries; ++key) judged.insert(key);
  const EntryId first = judged.policy.evict();
  std::set<EntryId> held;
  for (EntryId key = 0; key < kEntries; ++key) {
    if (key == first) continue;
    for (int i = 0; i < 50; ++i) judged.hit(key);
    held.insert(key);
  }
  judged.insert(first);
  for (int i = 0; i < 20; ++i) {
    const EntryId victim = judged.policy.evict();
    EXPECT_TRUE(victim == first || held.erase(victim) == 1);
  }
  EXPECT_EQ(judged.policy.size(), kEntries - 20U);
}

TEST(Scored, WeighsWhatAMissCostsAndHowMuchRoomIsTaken) {
  Judged judged(testing::model_of(testing::kAccessesInput, 4), Objective::kCost);
  for (EntryId key = 0; key < 30; ++key) judged.insert(key, 100, key < 10 ? 10.0F : 1.0F);
  for (EntryId key = 30; key < 60; ++key) judged.insert(key, 10'000, 1);
  const std::vector<EntryId> victims = drained(judged.policy);
  for (std::size_t i = 0; i < 30; ++i) EXPECT_GE(victims[i], 30U);
  for (std::size_t i = 30; i < 50; ++i) EXPECT_GE(victims[i], 10U);
}

TEST(Scored, WithoutAUsableScoreTheEntryAccessedLongestAgoLeaves) {
  const std::vector<Scored::Model> models = {nullptr, std::make_shared<testing::FailingModel>(),
                                             std::make_shared<testing::NanModel>()};
  for (const Scored::Model& model : models) {
    Judged judged(model);
    for (EntryId key = 0; key < 30; ++key) judged.insert(key);
    for (EntryId key = 0; key < 10; ++key) judged.hit(key);
    std::vector<EntryId> expected;
    for (EntryId key = 10; key < 30; ++key) expected.push_back(key);
    for (EntryId key = 0; key < 10; ++key) expected.push_back(key);
    EXPECT_EQ(drained(judged.policy), expected);
    EXPECT_GT(judged.policy.failures(), 0U);
  }
}

TEST(Scored, HoldsTheHistoryOfItsEntriesOnly) {
  Judged judged(testing::model_of(testing::kAgeInput, 1));
  judged.history.set_limit(50);
  for (EntryId key = 0; key < 40; ++key) judged.insert(key);
  for (EntryId key = 100; key < 1'000; ++key) judged.history.access(hash_of(key));
  for (EntryId key = 0; key < 40; ++key) {
    EXPECT_NE(judged.history.find(hash_of(key)), History::kNoSlot);
  }
  judged.policy.on_erase(3);
  for (EntryId key = 1'000; key < 2'000; ++key) judged.history.access(hash_of(key));
  EXPECT_EQ(judged.history.find(hash_of(3)), History::kNoSlot);
}

TEST(Scored, KnowsHowLongEntriesStay) {
  Judged judged(testing::model_of(testing::kAccessesInput, 1));
  for (EntryId key = 0; key < 100; ++key) judged.insert(key);
  std::uint64_t random = 1;
  for (int round = 0; round < 3'000; ++round) {  // every second access is a miss
    judged.hit(static_cast<EntryId>(judged.policy.any(random)));
    const EntryId victim = judged.policy.evict();
    judged.insert(victim);
  }
  EXPECT_NEAR(judged.policy.mean_residence(), 200, 20);
}

}  // namespace
}  // namespace vcache::l1::policy
