#include "predictor/torch/table.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "predictor/foreign_torch.hpp"
#include "predictor/torch/torch_trainer.hpp"
#include "support/examples.hpp"

namespace vcache::predictor {
namespace {

using Weights = std::array<float, Mlp::kWeights>;

TEST(TorchTableTest, TrainsAndScoresAsWithoutIt) {
  const auto torch = ForeignTorch::over(torch_table());
  ASSERT_TRUE(torch.ok()) << torch.error().detail;
  const auto examples = testing::random_examples(500, 1);
  const TrainerOptions options = {.batch_size = 128, .learning_rate = 2e-3, .seed = 4};
  const auto direct = make_torch_trainer(options, std::nullopt).value();
  const auto foreign = torch.value().make_trainer(options, std::nullopt).value();
  Weights expected;
  Weights weights;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(direct->fit(examples.features, examples.targets, 3).ok());
    ASSERT_TRUE(foreign->fit(examples.features, examples.targets, 3).ok());
    direct->weights(expected);
    foreign->weights(weights);
    EXPECT_EQ(weights, expected);
  }
  EXPECT_EQ(foreign->loss(examples.features, examples.targets).value(),
            direct->loss(examples.features, examples.targets).value());

  const auto scorer = torch.value().load_scorer(foreign->archive().value(), 64);
  ASSERT_TRUE(scorer.ok()) << scorer.error().detail;
  std::vector<float> scores(500 * kHeads);
  std::vector<float> of_twin(500 * kHeads);
  ASSERT_TRUE(scorer.value()->score(examples.features, 500, scores).ok());
  const auto twin = Mlp::from_weights(weights).value();
  ASSERT_TRUE(twin->score(examples.features, 500, of_twin).ok());
  for (std::size_t i = 0; i < scores.size(); ++i) ASSERT_NEAR(scores[i], of_twin[i], 1e-5);
}

TEST(TorchTableTest, ErrorsCrossAsText) {
  const auto torch = ForeignTorch::over(torch_table()).value();
  EXPECT_EQ(torch.make_trainer({.batch_size = 0}, std::nullopt).error().detail,
            "batch_size=0: allowed is 1 to 4096");
  const auto trainer = torch.make_trainer({}, std::nullopt).value();
  EXPECT_EQ(trainer->fit({}, {}, 1).detail, "examples weigh nothing together");
  EXPECT_EQ(trainer->loss({}, {}).error().code, base::ErrorCode::kInvalid);
  EXPECT_FALSE(torch.load_scorer("no model", 64).ok());
}

}  // namespace
}  // namespace vcache::predictor
