#include "l1/policy/label_sampler.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "policy_cache.hpp"
#include "support/models.hpp"

namespace vcache::l1::policy {
namespace {

using predictor::Example;
using testing::hash_of;

// A cache that holds `entries` keys and never evicts; keys are asked for in turn, or at random.
class Sampled {
 public:
  explicit Sampled(EntryId entries)
      : policy_(history_, testing::model_of(0, 1), Objective::kMisses, 1), sampler_(history_, 2) {
    for (EntryId key = 0; key < entries; ++key) {
      history_.access(hash_of(key));
      policy_.on_insert(key, {.key_hash = hash_of(key), .bytes = 1});
    }
    policy_.set_residence(entries);
  }
  void ask(EntryId key) {
    history_.access(hash_of(key));
    policy_.on_hit(key);
    policy_.set_residence(static_cast<double>(policy_.size()));
    sampler_.on_access(policy_, [&](const Example& example) { examples.push_back(example); });
  }
  [[nodiscard]] std::uint32_t now() const { return history_.now(); }

  std::vector<Example> examples;

 private:
  History history_;
  Scored policy_;
  LabelSampler sampler_;
};

TEST(LabelSampler, TellsOfEachHorizonWhenItIsOver) {
  Sampled cache(128);
  std::uint32_t first = cache.now();
  std::map<int, std::uint32_t> begun;
  for (int i = 0; i < 3'000; ++i) {
    const std::size_t before = cache.examples.size();
    cache.ask(static_cast<EntryId>(i % 128));
    for (std::size_t e = before; e < cache.examples.size(); ++e) {
      const Example& example = cache.examples[e];
      const float waited = static_cast<float>(cache.now() - example.snapshot.now);
      EXPECT_NEAR(waited, predictor::kHorizons[example.head] * 128, 1);
      begun.try_emplace(example.head, cache.now() - first);
    }
  }
  EXPECT_EQ(begun.size(), predictor::kHorizons.size());
}

TEST(LabelSampler, SaysWhetherTheKeyWasAskedForWithinTheHorizon) {
  Sampled cache(128);
  for (int i = 0; i < 20'000; ++i) cache.ask(static_cast<EntryId>(i % 128));
  std::array<double, predictor::kHorizons.size()> asked{};
  std::array<double, predictor::kHorizons.size()> all{};
  for (const Example& example : cache.examples) {
    all[example.head] += 1;
    asked[example.head] += example.is_accessed ? 1 : 0;
  }
  // In turn, each key is asked for once in 128 accesses.
  EXPECT_NEAR(asked[0] / all[0], 0.125, 0.02);
  EXPECT_NEAR(asked[1] / all[1], 0.5, 0.02);
  EXPECT_EQ(asked[2], all[2]);
  EXPECT_EQ(asked[3], all[3]);
}

// Answers of both kinds come at the same lag: at no time is one of them favoured.
TEST(LabelSampler, FavoursNeitherAnswerAtAnyTime) {
  Sampled cache(1'024);
  double asked = 0;
  double all = 0;
  for (int i = 0; i < 800; ++i) {
    cache.ask(static_cast<EntryId>(i % 1'024));
    for (const Example& example : cache.examples) {
      if (example.head != 1) continue;
      all += 1;
      asked += example.is_accessed ? 1 : 0;
    }
    cache.examples.clear();
  }
  ASSERT_GT(all, 20);  // just after the first horizon was over
  EXPECT_NEAR(asked / all, 0.5, 0.25);
}

TEST(LabelSampler, FewerSamplesWaitForLongerHorizons) {
  Sampled cache(1'024);
  for (int i = 0; i < 200'000; ++i) cache.ask(static_cast<EntryId>(i % 1'024));
  std::array<double, predictor::kHorizons.size()> told{};
  for (const Example& example : cache.examples) told[example.head] += 1;
  EXPECT_NEAR(told[1] / told[0], 1, 0.01);
  EXPECT_NEAR(told[2] / told[1], 1.0 / 3, 0.03);
  EXPECT_NEAR(told[3] / told[2], 1.0 / 4, 0.03);
}

// Of 16,384 entries so many samples may wait that chance alone decides how many are taken.
TEST(LabelSampler, TakesFewerSamplesLaterAndWeighsThemMore) {
  Sampled cache(16'384);
  for (int i = 0; i < 500'000; ++i) cache.ask(static_cast<EntryId>(i % 16'384));
  double early = 0;
  double early_weight = 0;
  double late = 0;
  for (const Example& example : cache.examples) {
    if (example.head != 0) continue;
    (example.weight < 1 ? early : late) += 1;
    if (example.weight < 1) early_weight += double{example.weight};
  }
  EXPECT_NEAR(early, 65'536, 200);
  const double accesses = 65'536 / 0.25;  // that had a chance of a fourth to be taken
  EXPECT_NEAR(early_weight, 0.15 * accesses, 500);
  EXPECT_NEAR(late, 0.15 * (500'000 - accesses - 2'048), 1'500);
}

TEST(LabelSampler, ItsMemoryIsBoundedByTheEntries) {
  for (const EntryId entries : {256U, 1'000U, 10'000U}) {
    History history;
    Scored policy(history, testing::model_of(0, 1), Objective::kMisses, 1);
    LabelSampler sampler(history, 2);
    for (EntryId key = 0; key < 40 * entries; ++key) {
      history.access(hash_of(key % entries));
      if (key < entries) policy.on_insert(key, {.key_hash = hash_of(key), .bytes = 1});
      sampler.on_access(policy, [](const Example&) {});
    }
    EXPECT_GT(sampler.memory_bytes(), 0U);
    EXPECT_LE(sampler.memory_bytes(), 24 * entries);
  }
}

}  // namespace
}  // namespace vcache::l1::policy
