#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string_view>
#include <vector>

#include "l1/policy/learned.hpp"
#include "policy_cache.hpp"
#include "support/models.hpp"

// Learned, for an owner that prepares evictions ahead.
namespace vcache::l1::policy {
namespace {

using testing::hash_of;

Candidate candidate(std::uint64_t key, std::uint32_t bytes = 1) {
  return {.key_hash = hash_of(key), .bytes = bytes};
}

void fill(Learned& policy, EntryId count) {
  for (EntryId id = 0; id < count; ++id) policy.on_insert(id, candidate(id));
}

bool takes_part(const Learned& policy, std::string_view expert) {
  const auto experts = policy.experts();
  return std::ranges::find(experts, expert, &ExpertRecord::name) != experts.end();
}

double recent_of(const Learned& policy, std::string_view expert) {
  const auto experts = policy.experts();
  return std::ranges::find(experts, expert, &ExpertRecord::name)->recent;
}

// A model that can be broken for a while.
class Fragile final : public predictor::Predictor {
 public:
  [[nodiscard]] std::size_t inputs() const noexcept override { return predictor::kInputs; }
  [[nodiscard]] std::size_t outputs() const noexcept override { return predictor::kHeads; }
  base::Error score(std::span<const float> features, std::size_t rows,
                    std::span<float> out) const noexcept override {
    if (is_broken) return {.code = base::ErrorCode::kInvalid, .detail = {}};
    return model_->score(features, rows, out);
  }
  std::atomic<bool> is_broken{false};

 private:
  std::shared_ptr<const predictor::Mlp> model_ = testing::model_of(testing::kAccessesInput, 1);
};

LearnedOptions led_by(std::string_view expert) {
  return {.frozen = testing::model_of(testing::kAccessesInput, 1),
          .objective = Objective::kCost,  // so that gdsf takes part
          .seed = 2,
          .pinned = expert};
}

constexpr std::string_view kAll[] = {"s3fifo", "lru", "arc", "wtinylfu", "gdsf", "frozen"};

TEST(LearnedChoice, EachEntryIsChosenOnceUntilItIsUsed) {
  for (const std::string_view leader : kAll) {
    Learned policy(led_by(leader));
    fill(policy, 40);
    std::set<EntryId> chosen;
    for (EntryId id = policy.choose(); id != kNoEntry; id = policy.choose()) {
      EXPECT_TRUE(policy.is_chosen(id)) << leader;
      EXPECT_TRUE(chosen.insert(id).second) << leader;
    }
    EXPECT_EQ(chosen.size(), 40U) << leader;
    EXPECT_EQ(policy.size(), 40U) << leader << ": they stay";
    policy.on_hit(7);
    policy.on_update(9, candidate(9, 5));
    EXPECT_FALSE(policy.is_chosen(7) || policy.is_chosen(9)) << leader;
    std::set<EntryId> again;
    for (EntryId id = policy.choose(); id != kNoEntry; id = policy.choose()) again.insert(id);
    EXPECT_EQ(again, (std::set<EntryId>{7, 9})) << leader;
  }
}

TEST(LearnedChoice, WhatLeavesIsRememberedAndItsIdIsFree) {
  for (const std::string_view leader : kAll) {
    Learned policy(led_by(leader));
    fill(policy, 10);
    const EntryId chosen = policy.choose();
    const EntryId other = (chosen + 1) % 10;
    policy.on_evict(chosen);
    policy.on_evict(other);
    EXPECT_EQ(policy.size(), 8U) << leader;
    EXPECT_FALSE(policy.holds(chosen) || policy.holds(other)) << leader;
    EXPECT_TRUE(policy.judge(hash_of(chosen), kNoEntry)) << leader << ": a ghost";
    policy.on_insert(chosen, candidate(100));
    EXPECT_FALSE(policy.is_chosen(chosen)) << leader;
  }
}

// Whoever leads, in the middle of all that can happen, no entry is lost or stays chosen.
TEST(LearnedChoice, NoEntryIsLostWhoeverLeads) {
  Learned policy(led_by("frozen"));
  std::map<EntryId, std::uint32_t> held;
  std::mt19937_64 random(11);
  constexpr EntryId kIds = 300;
  for (int i = 0; i < 60'000; ++i) {
    const auto id = static_cast<EntryId>(random() % kIds);
    const auto size = static_cast<std::uint32_t>(1 + random() % 50);
    const bool is_held = held.contains(id);
    const auto kind = random() % 12;
    if (i % 500 == 0) {
      ASSERT_TRUE(policy.pin(kAll[random() % std::size(kAll)]));
    }
    if (!is_held) {
      policy.on_insert(id, candidate(random() % 2'000, size));
      held[id] = size;
    } else if (kind < 4) {
      policy.on_hit(id);
    } else if (kind < 5) {
      policy.on_update(id, candidate(1, size));
      held[id] = size;
    } else if (kind < 6) {
      policy.on_erase(id);
      held.erase(id);
    } else if (kind < 10) {
      const EntryId chosen = policy.choose();
      if (chosen == kNoEntry) continue;
      ASSERT_TRUE(held.contains(chosen));
    } else {
      policy.on_evict(id);
      held.erase(id);
    }
    ASSERT_EQ(policy.size(), held.size());
  }
  std::uint64_t bytes = 0;
  for (const auto& [id, size] : held) {
    bytes += size;
    EXPECT_TRUE(policy.holds(id));
    policy.on_hit(id);
    EXPECT_FALSE(policy.is_chosen(id)) << id;
  }
  EXPECT_EQ(policy.bytes(), bytes);
  ASSERT_TRUE(policy.pin("lru"));
  std::set<EntryId> chosen;
  for (EntryId id = policy.choose(); id != kNoEntry; id = policy.choose()) chosen.insert(id);
  EXPECT_EQ(chosen.size(), held.size());
}

// Pins and benches

TEST(LearnedChoice, OnlyWhoTakesPartCanBePinned) {
  Learned policy({.seed = 1});
  for (const std::string_view absent : {"frozen", "online", "gdsf", "fifo"}) {
    EXPECT_FALSE(policy.pin(absent)) << absent;
  }
  EXPECT_TRUE(policy.pin("arc"));
  EXPECT_EQ(policy.leader(), "arc");
  EXPECT_TRUE(policy.pin(""));
}

TEST(LearnedChoice, AModelThatFailsIsBenchedAndLeadsAgainWherePinned) {
  for (const bool is_pinned : {false, true}) {
    const auto model = std::make_shared<Fragile>();
    Learned policy({.frozen = model, .seed = 1, .pinned = is_pinned ? "frozen" : ""});
    fill(policy, 100);
    ASSERT_NE(policy.choose(), kNoEntry);
    EXPECT_EQ(policy.leader(), "frozen");
    model->is_broken = true;
    for (int i = 0; i < 10; ++i) ASSERT_NE(policy.choose(), kNoEntry);
    EXPECT_EQ(policy.failures(), 1U);
    EXPECT_NE(policy.leader(), "frozen");
    EXPECT_FALSE(takes_part(policy, "frozen"));
    model->is_broken = false;
    for (int i = 0; i < 10'001; ++i) policy.on_hit(static_cast<EntryId>(i % 100));
    EXPECT_TRUE(takes_part(policy, "frozen"));
    EXPECT_TRUE(!is_pinned || policy.leader() == "frozen");
    ASSERT_NE(policy.choose(), kNoEntry);
    EXPECT_EQ(policy.failures(), 1U);
  }
}

// Else it would lead at once, with nothing to show for it.
TEST(LearnedChoice, AFirstModelBeginsAsGoodAsTheLeader) {
  Learned policy({.seed = 1});
  fill(policy, 100);
  for (std::uint64_t key = 100; key < 3'000; ++key)
    policy.on_insert(policy.evict(), candidate(key));
  const double leaders = recent_of(policy, policy.leader());
  ASSERT_GT(leaders, 100);
  policy.set_online(testing::model_of(testing::kAccessesInput, 1));
  EXPECT_EQ(recent_of(policy, "online"), leaders);
}

TEST(LearnedChoice, JudgesByTheNewestModel) {
  Learned policy({.frozen = testing::model_of(testing::kAccessesInput, 0), .seed = 1});
  fill(policy, 10);
  for (int i = 0; i < 20; ++i) policy.on_hit(3);
  EXPECT_FALSE(policy.judge(hash_of(77), kNoEntry));
  const auto by_frozen = policy.judge(hash_of(3), 3);
  ASSERT_TRUE(by_frozen && by_frozen->is_scored);
  EXPECT_TRUE(by_frozen->is_held);
  EXPECT_EQ(by_frozen->snapshot.past.accesses, 21U);
  EXPECT_EQ(by_frozen->snapshot.residence.hits, 20U);
  EXPECT_EQ(by_frozen->heads[0], 0.5F);
  EXPECT_FALSE(policy.judge(hash_of(3), 4)->is_held) << "4 is another key's";
  policy.set_online(testing::model_of(testing::kAccessesInput, 2));
  EXPECT_GT(policy.judge(hash_of(3), 3)->heads[0], 0.5F);
  policy.set_online(std::make_shared<testing::NanModel>());
  EXPECT_FALSE(policy.judge(hash_of(3), 3)->is_scored);
}

}  // namespace
}  // namespace vcache::l1::policy
