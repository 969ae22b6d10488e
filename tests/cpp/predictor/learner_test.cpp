#include "predictor/learner.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "support/models.hpp"

namespace vcache::predictor {
namespace {

// What a trainer was asked to do, and the weights that it says it fitted.
struct Script {
  std::vector<std::size_t> rows = {};
  std::vector<std::size_t> passes = {};
  float factor = 1;  // of the fitted model, whose input is the number of accesses
  bool fails = false;
};

class ScriptedTrainer final : public Trainer {
 public:
  explicit ScriptedTrainer(Script& script) : script_(script) {}

  base::Error fit(std::span<const float> features, std::span<const Target> targets,
                  std::size_t passes) noexcept override {
    EXPECT_EQ(features.size(), targets.size() * kInputs);
    script_.rows.push_back(targets.size());
    script_.passes.push_back(passes);
    if (!script_.fails) return {};
    return {.code = base::ErrorCode::kInvalid, .detail = "fails"};
  }
  [[nodiscard]] base::Result<double> loss(std::span<const float>,
                                          std::span<const Target>) const noexcept override {
    return 0.0;
  }
  void weights(std::span<float, Mlp::kWeights> out) const noexcept override {
    const testing::Weights weights = testing::weights_of(testing::kAccessesInput, script_.factor);
    std::copy(weights.begin(), weights.end(), out.begin());
  }
  [[nodiscard]] base::Result<std::string> archive() const noexcept override {
    return std::string();
  }

 private:
  Script& script_;
};

Example example(bool is_accessed) {
  return {.snapshot = {.past = {.first = 1, .last = 1, .accesses = 16}, .now = 9},
          .head = 1,
          .is_accessed = is_accessed};
}

Learner learner_of(Script& script, std::shared_ptr<const Mlp> start = nullptr) {
  return {std::make_unique<ScriptedTrainer>(script), std::move(start), 1};
}

void add(Learner& learner, std::size_t count, bool is_accessed) {
  for (std::size_t i = 0; i < count; ++i) learner.add(example(is_accessed));
}

TEST(Learner, FitsWhenThereAreEnoughNewExamples) {
  Script script;
  Learner learner = learner_of(script);
  add(learner, Learner::kFirst - 1, true);
  EXPECT_FALSE(learner.is_due());
  add(learner, 1, true);
  EXPECT_TRUE(learner.is_due());
  EXPECT_NE(learner.learn(), nullptr);
  EXPECT_FALSE(learner.is_due());
  add(learner, Learner::kPeriod, true);
  EXPECT_TRUE(learner.is_due());
  EXPECT_NE(learner.learn(), nullptr);
  EXPECT_EQ(script.passes, (std::vector<std::size_t>{6, 1}));
}

// The newest tenth is not fitted to: of the rest all at first, later half.
TEST(Learner, HoldsTheNewestExamplesOut) {
  Script script;
  Learner learner = learner_of(script);
  add(learner, Learner::kFirst, true);
  (void)learner.learn();
  add(learner, 2 * Learner::kKept, false);
  (void)learner.learn();
  EXPECT_EQ(script.rows,
            (std::vector<std::size_t>{Learner::kFirst - Learner::kFirst / 10,
                                      (Learner::kKept - Learner::kKept / 10 + 1) / 2}));
}

TEST(Learner, GivesOutNoModelThatIsWorseThanTheOneBefore) {
  Script script{.factor = 4};  // sure that all are accessed
  Learner learner = learner_of(script, testing::model_of(testing::kAccessesInput, 1));
  add(learner, Learner::kFirst, true);
  EXPECT_NE(learner.learn(), nullptr);
  EXPECT_GT(learner.record().accuracy, 0.99);
  add(learner, Learner::kPeriod, true);
  script.factor = 0.5;
  EXPECT_EQ(learner.learn(), nullptr);
  EXPECT_EQ(learner.record().refused, 1U);
  EXPECT_EQ(learner.record().published, 1U);
  add(learner, Learner::kKept, false);  // now none is
  EXPECT_NE(learner.learn(), nullptr);
  EXPECT_EQ(learner.record().published, 2U);
}

TEST(Learner, KeepsItsModelWhereAFitFails) {
  Script script{.fails = true};
  Learner learner = learner_of(script);
  add(learner, Learner::kFirst, true);
  EXPECT_EQ(learner.learn(), nullptr);
  EXPECT_EQ(learner.record().failed, 1U);
  EXPECT_FALSE(learner.is_due());
}

TEST(Learner, RemembersTheNewestExamplesOnly) {
  Script script;
  Learner learner = learner_of(script);
  add(learner, 5 * Learner::kKept, true);
  EXPECT_LE(learner.memory_bytes(), 2 * Learner::kKept * sizeof(Example));
}

}  // namespace
}  // namespace vcache::predictor
