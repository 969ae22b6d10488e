#include "predictor/watched.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "support/models.hpp"

namespace vcache::predictor {
namespace {

using std::chrono::microseconds;

// Each look at the clock is `step` after the one before.
std::atomic<std::int64_t> g_now{0};
std::atomic<std::int64_t> g_step{0};
Watched::Time stepping_clock() noexcept {
  return Watched::Time(microseconds(g_now.fetch_add(g_step.load())));
}

// One probability for all.
class Constant final : public Predictor {
 public:
  explicit Constant(float value, std::size_t inputs = kInputs) : value_(value), inputs_(inputs) {}
  [[nodiscard]] std::size_t inputs() const noexcept override { return inputs_; }
  [[nodiscard]] std::size_t outputs() const noexcept override { return kHeads; }
  base::Error score(std::span<const float>, std::size_t,
                    std::span<float> out) const noexcept override {
    std::ranges::fill(out, value_);
    return {};
  }

 private:
  float value_;
  std::size_t inputs_;
};

bool scores(const Predictor& predictor) {
  const std::array<float, kInputs> inputs{};
  std::array<float, kHeads> heads{};
  return predictor.score(inputs, 1, heads).ok() && heads[0] == 0.25F;
}

TEST(Watched, ScoresAsThePredictorWhileThatIsInTime) {
  g_step = 1;
  const Watched watched(std::make_unique<Constant>(0.25F), &stepping_clock);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(scores(watched));
  EXPECT_EQ(watched.late(), 0U);
}

TEST(Watched, IsNotAskedForAWhileAfterBeingLateInARow) {
  const Watched watched(std::make_unique<Constant>(0.25F), &stepping_clock);
  const std::int64_t late = Watched::kBudget.count() + 1;
  g_step = late;
  EXPECT_TRUE(scores(watched)) << "late, but there";
  g_step = 1;
  EXPECT_TRUE(scores(watched));
  g_step = late;
  for (std::uint32_t i = 0; i < Watched::kMostLate; ++i) EXPECT_TRUE(scores(watched));
  EXPECT_EQ(watched.late(), 1U + Watched::kMostLate);
  g_step = 1;
  for (std::uint32_t i = 0; i < Watched::kRest; ++i) ASSERT_FALSE(scores(watched));
  EXPECT_TRUE(scores(watched));
}

// Many threads share a model, and all of them find it resting.
TEST(Watched, IsAskedAgainHoweverManyThreadsFoundItResting) {
  const Watched watched(std::make_unique<Constant>(0.25F), &stepping_clock);
  for (int round = 0; round < 50; ++round) {
    g_step = Watched::kBudget.count() + 1;
    for (std::uint32_t i = 0; i < Watched::kMostLate; ++i) ASSERT_TRUE(scores(watched)) << round;
    g_step = 0;
    std::atomic<std::uint32_t> refused{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (std::uint32_t i = 0; i < Watched::kRest; ++i) refused += scores(watched) ? 0U : 1U;
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(refused, Watched::kRest) << round;
  }
}

TEST(Watched, ProbesTellModelsApart) {
  const auto model = testing::model_of(testing::kAgeInput, 1);
  EXPECT_TRUE(agree_on_probes(*model, *testing::model_of(testing::kAgeInput, 1)));
  EXPECT_FALSE(agree_on_probes(*model, *testing::model_of(testing::kAgeInput, 1.1F)));
  EXPECT_FALSE(agree_on_probes(testing::NanModel(), *model));
  EXPECT_FALSE(agree_on_probes(testing::FailingModel(), *model));
  EXPECT_FALSE(agree_on_probes(Constant(0.5F, kInputs + 1), *model));
}

TEST(Watched, ProbesFindWhatIsNoModelOfTheCaches) {
  EXPECT_TRUE(check_on_probes(*testing::model_of(testing::kAgeInput, 1)).ok());
  EXPECT_TRUE(check_on_probes(Constant(0)).ok());
  for (const float wrong : {-0.1F, 1.1F, __builtin_nanf("")}) {
    EXPECT_NE(check_on_probes(Constant(wrong)).detail.find("allowed"), std::string::npos);
  }
  EXPECT_NE(check_on_probes(Constant(0.5F, 3)).detail.find("takes 3 inputs"), std::string::npos);
  EXPECT_EQ(check_on_probes(testing::FailingModel()).detail, "fails");
}

TEST(Watched, ProbesFindASlowModel) {
  g_step = Watched::kBudget.count();
  EXPECT_TRUE(check_on_probes(Constant(0.5F), &stepping_clock).ok());
  g_step = Watched::kBudget.count() + 1;
  EXPECT_EQ(check_on_probes(Constant(0.5F), &stepping_clock).detail,
            "the model takes 501 us to score 64 rows: allowed are 500");
}

}  // namespace
}  // namespace vcache::predictor
