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
  Sampled cache(128);
  double asked = 0;
  double all = 0;
  for (int i = 0; i < 100; ++i) {
    cache.ask(static_cast<EntryId>(i % 128));
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

TEST(LabelSampler, TakesFewerSamplesLaterAndWeighsThemMore) {
  Sampled cache(128);
  for (int i = 0; i < 150'000; ++i) cache.ask(static_cast<EntryId>(i % 128));
  std::size_t early = 0;
  std::size_t late = 0;
  for (const Example& example : cache.examples) {
    if (example.head != 0) continue;
    (example.weight < 1 ? early : late) += 1;
  }
  EXPECT_NEAR(static_cast<double>(early), 65'536, 200);
  EXPECT_NEAR(static_cast<double>(late), 0.15 * (150'000 - 65'536), 500);
}

}  // namespace
}  // namespace vcache::l1::policy
