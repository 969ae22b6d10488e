#include "predictor/learner.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "support/models.hpp"
#include "support/scripted_trainer.hpp"

namespace vcache::predictor {
namespace {

using testing::example;
using testing::Script;
using testing::ScriptedTrainer;

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
