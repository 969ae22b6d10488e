#include "l1/learning/tutor.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "predictor/watched.hpp"
#include "support/in_child.hpp"
#include "support/models.hpp"
#include "support/poll_until.hpp"
#include "support/scripted_trainer.hpp"

namespace vcache::l1::learning {
namespace {

using predictor::Learner;
using testing::poll_until;
using testing::Script;
using testing::ScriptedTrainer;

constexpr std::chrono::seconds kLong{20};

std::chrono::steady_clock::time_point soon() { return std::chrono::steady_clock::now() + kLong; }

// What was loaded of an archive.
class Scorer final : public predictor::Predictor {
 public:
  explicit Scorer(std::shared_ptr<const predictor::Mlp> mlp) : mlp_(std::move(mlp)) {}
  [[nodiscard]] std::size_t inputs() const noexcept override { return mlp_->inputs(); }
  [[nodiscard]] std::size_t outputs() const noexcept override { return mlp_->outputs(); }
  base::Error score(std::span<const float> features, std::size_t rows,
                    std::span<float> out) const noexcept override {
    return mlp_->score(features, rows, out);
  }

 private:
  std::shared_ptr<const predictor::Mlp> mlp_;
};

class TutorTest : public ::testing::Test {
 protected:
  TutorOptions options() {
    return {.make_trainer = [this](predictor::StartWeights) {
      ++makes_;
      return base::Result<std::unique_ptr<predictor::Trainer>>(
          std::make_unique<ScriptedTrainer>(script_));
    }};
  }
  [[nodiscard]] static std::vector<predictor::Example> lessons(std::size_t count, bool accessed) {
    return std::vector<predictor::Example>(count, testing::example(accessed));
  }

  base::ManualClock clock_{std::chrono::seconds(5)};
  Script script_;
  std::atomic<int> makes_{0};
  std::atomic<int> tends_{0};
  std::function<void()> tend_ = [this] { ++tends_; };
};

TEST_F(TutorTest, PublishesAModelOnceThereIsEnoughToLearnFrom) {
  Tutor tutor(options(), clock_, tend_);
  tutor.take(lessons(Learner::kFirst - 1, true));
  EXPECT_EQ(tutor.version(), 0U);
  EXPECT_EQ(tutor.online().model, nullptr);
  tutor.take(lessons(1, true));
  ASSERT_TRUE(poll_until([&] { return tutor.version() == 1; }));
  EXPECT_NE(tutor.online().model, nullptr);
  const TutorRecord record = tutor.record();
  EXPECT_EQ(record.fits.published, 1U);
  EXPECT_EQ(record.lessons, Learner::kFirst);
  EXPECT_EQ(record.published, std::chrono::seconds(5));
  EXPECT_EQ(makes_, 1);
}

TEST_F(TutorTest, KeepsTheModelThatIsBetterOnTheNewest) {
  Tutor tutor(options(), clock_, tend_);
  tutor.take(lessons(Learner::kFirst, true));
  ASSERT_TRUE(poll_until([&] { return tutor.version() == 1; }));
  script_.factor = -1;  // says no where the answer is yes
  tutor.take(lessons(100, true));
  EXPECT_TRUE(tutor.wait_for(tutor.retrain(), soon()));
  EXPECT_EQ(tutor.version(), 1U);
  EXPECT_EQ(tutor.record().fits.refused, 1U);
}

TEST_F(TutorTest, RetrainsWhenAskedAndSaysWhyNot) {
  Tutor tutor(options(), clock_, tend_);
  EXPECT_TRUE(tutor.wait_for(tutor.retrain(), soon()));
  EXPECT_NE(tutor.record().problem.detail.find("too little"), std::string::npos);
  tutor.take(lessons(Learner::kFirst, true));
  ASSERT_TRUE(poll_until([&] { return tutor.version() == 1; }));
  EXPECT_TRUE(tutor.wait_for(tutor.retrain(), soon()));
  EXPECT_EQ(tutor.record().fits.fits, 2U);
  EXPECT_TRUE(tutor.record().problem.ok());
}

TEST_F(TutorTest, TriesAgainToMakeATrainer) {
  TutorOptions failing = options();
  std::atomic<bool> is_there{false};
  const auto make = failing.make_trainer;
  failing.make_trainer = [&, make](predictor::StartWeights start) {
    if (is_there) return make(start);
    return base::Result<std::unique_ptr<predictor::Trainer>>(
        base::Error{.code = base::ErrorCode::kInvalid, .detail = "torch is not installed"});
  };
  Tutor tutor(failing, clock_, tend_);
  tutor.take(lessons(Learner::kFirst, true));
  EXPECT_TRUE(tutor.wait_for(tutor.retrain(), soon()));
  EXPECT_EQ(tutor.record().problem.detail, "torch is not installed");
  EXPECT_EQ(tutor.version(), 0U);
  is_there = true;
  EXPECT_TRUE(tutor.wait_for(tutor.retrain(), soon()));
  EXPECT_EQ(tutor.version(), 1U) << "what was taken meanwhile is not lost";
}

// Loading what is broken may take a while, and lessons come all the time.
TEST_F(TutorTest, DoesNotTryAgainWithEachLesson) {
  TutorOptions failing = options();
  failing.make_trainer = [this](predictor::StartWeights) {
    ++makes_;
    return base::Result<std::unique_ptr<predictor::Trainer>>(
        base::Error{.code = base::ErrorCode::kInvalid, .detail = "torch is not installed"});
  };
  Tutor tutor(failing, clock_, tend_);
  const auto takes = [&](std::size_t count) {
    const int before = tends_;
    tutor.take(lessons(count, true));
    return poll_until([&] { return tends_ > before; });
  };
  ASSERT_TRUE(takes(Learner::kFirst));
  ASSERT_TRUE(poll_until([&] { return makes_ == 1; }));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(takes(1));
  EXPECT_EQ(makes_, 1);
  clock_.advance(std::chrono::minutes(2));
  ASSERT_TRUE(takes(1));
  EXPECT_TRUE(poll_until([&] { return makes_ == 2; }));
}

TEST_F(TutorTest, SaysThatMemoryIsShortToWhoWaits) {
  TutorOptions failing = options();
  failing.make_trainer =
      [](predictor::StartWeights) -> base::Result<std::unique_ptr<predictor::Trainer>> {
    throw std::bad_alloc();
  };
  Tutor tutor(failing, clock_, tend_);
  tutor.take(lessons(Learner::kFirst, true));
  EXPECT_TRUE(tutor.wait_for(tutor.retrain(), soon()));
  EXPECT_EQ(tutor.record().problem.detail, "out of memory");
}

TEST_F(TutorTest, WaitsTheIntervalBetweenFits) {
  TutorOptions slow = options();
  slow.interval = std::chrono::hours(1);
  Tutor tutor(slow, clock_, tend_);
  tutor.take(lessons(Learner::kFirst, true));
  ASSERT_TRUE(poll_until([&] { return tutor.version() == 1; }));
  const auto takes_all = [&] {
    const int before = tends_;
    tutor.take(lessons(Learner::kPeriod, true));
    return poll_until([&] { return tends_ > before; });
  };
  ASSERT_TRUE(takes_all());
  ASSERT_TRUE(takes_all());
  EXPECT_EQ(tutor.record().fits.fits, 1U);
  clock_.advance(std::chrono::hours(2));
  tutor.take(lessons(Learner::kFirst, true));
  EXPECT_TRUE(poll_until([&] { return tutor.record().fits.fits == 2; }));
}

TEST_F(TutorTest, RollsBackToTheModelBefore) {
  Tutor tutor(options(), clock_, tend_);
  EXPECT_FALSE(tutor.roll_back());
  tutor.take(lessons(Learner::kFirst, true));
  ASSERT_TRUE(poll_until([&] { return tutor.version() == 1; }));
  const auto first = tutor.online().model;
  EXPECT_FALSE(tutor.roll_back()) << "there is none before";
  ASSERT_TRUE(tutor.wait_for(tutor.retrain(), soon()));
  ASSERT_EQ(tutor.version(), 2U);
  EXPECT_NE(tutor.online().model, first);
  EXPECT_TRUE(tutor.roll_back());
  EXPECT_EQ(tutor.online().model, first);
  EXPECT_EQ(tutor.online().version, 3U) << "so that everybody changes";
}

TEST_F(TutorTest, AdoptsAModelThatIsNoWorse) {
  Tutor tutor(options(), clock_, tend_);
  const auto good = testing::model_of(testing::kAccessesInput, 2);
  const auto bad = testing::model_of(testing::kAccessesInput, -2);
  EXPECT_TRUE(tutor.adopt(bad)) << "there is nothing to judge it by";
  EXPECT_EQ(tutor.version(), 1U);
  EXPECT_TRUE(tutor.newest().is_adopted);
  tutor.take(lessons(Learner::kFirst, true));
  ASSERT_TRUE(poll_until([&] { return tutor.version() == 2; }));
  EXPECT_FALSE(tutor.newest().is_adopted);
  EXPECT_FALSE(tutor.adopt(bad));
  EXPECT_EQ(tutor.version(), 2U);
  EXPECT_TRUE(tutor.adopt(good));
  EXPECT_EQ(tutor.online().model, good);
}

TEST_F(TutorTest, ScoresWithTheArchiveThatAgreesWithItsTwin) {
  TutorOptions scripted = options();
  scripted.load_scorer = [this](const std::string&) {
    const float factor = script_.factor * (script_.archive_differs ? 2.0F : 1.0F);
    return base::Result<std::unique_ptr<predictor::Predictor>>(
        std::make_unique<Scorer>(testing::model_of(testing::kAccessesInput, factor)));
  };
  Tutor tutor(scripted, clock_, tend_);
  tutor.take(lessons(Learner::kFirst, true));
  ASSERT_TRUE(poll_until([&] { return tutor.version() == 1; }));
  EXPECT_NE(dynamic_cast<const predictor::Watched*>(tutor.online().model.get()), nullptr);
  script_.archive_differs = true;
  ASSERT_TRUE(tutor.wait_for(tutor.retrain(), soon()));
  EXPECT_NE(dynamic_cast<const predictor::Mlp*>(tutor.online().model.get()), nullptr);
}

TEST_F(TutorTest, HasNotesReadWhenTheyPileUp) {
  Tutor tutor(options(), clock_, tend_);
  tutor.on_half_full();
  EXPECT_EQ(tends_, 0) << "it begins with the first lesson";
  tutor.take(lessons(1, true));
  ASSERT_TRUE(poll_until([&] { return tends_ > 0; }));
  const int before = tends_;
  tutor.on_half_full();
  EXPECT_TRUE(poll_until([&] { return tends_ > before; }));
}

TEST_F(TutorTest, StopEndsWhoWaits) {
  Tutor tutor(options(), clock_, tend_);
  EXPECT_FALSE(tutor.is_stopped());
  tutor.stop();
  EXPECT_TRUE(tutor.is_stopped());
  EXPECT_FALSE(tutor.wait_for(1, soon()));
  tutor.take(lessons(Learner::kFirst, true));
  EXPECT_EQ(tutor.version(), 0U);
}

TEST_F(TutorTest, AChildLearnsOnAThreadOfItsOwn) {
  if (!testing::kThreadsInChildren) GTEST_SKIP() << "the sanitizer ends such a child";
  Tutor tutor(options(), clock_, tend_);
  tutor.take(lessons(Learner::kFirst, true));
  ASSERT_TRUE(poll_until([&] { return tutor.version() == 1; }));
  tutor.begin_fork();
  tutor.lock();
  const bool held = testing::holds_in_child([&]() VCACHE_NO_THREAD_SAFETY_ANALYSIS {
    tutor.on_child();
    tutor.unlock();
    tutor.end_fork();
    return tutor.wait_for(tutor.retrain(), soon()) && tutor.version() == 2;
  });
  tutor.unlock();
  tutor.end_fork();
  EXPECT_TRUE(held);
  EXPECT_EQ(tutor.version(), 1U);
}

TEST_F(TutorTest, AChildOfOneThatWasStoppedLearnsNothing) {
  if (!testing::kThreadsInChildren) GTEST_SKIP() << "the sanitizer ends such a child";
  Tutor tutor(options(), clock_, tend_);
  tutor.stop();
  tutor.begin_fork();
  tutor.lock();
  const bool held = testing::holds_in_child([&]() VCACHE_NO_THREAD_SAFETY_ANALYSIS {
    tutor.on_child();
    tutor.unlock();
    tutor.end_fork();
    tutor.take(lessons(Learner::kFirst, true));
    return !poll_until([&] { return tends_ > 0; }, std::chrono::milliseconds(200));
  });
  tutor.unlock();
  tutor.end_fork();
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace vcache::l1::learning
