#include "predictor/foreign_torch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace vcache::predictor {
namespace {

using ::testing::HasSubstr;

// What the other module was asked for.
struct Calls {
  std::size_t trainers = 0;  // alive
  std::size_t scorers = 0;
  std::size_t examples = 0;
  std::size_t passes = 0;
  std::uint64_t seed = 0;
};
Calls calls;
bool fails = false;

std::int32_t result(ByteSink error) noexcept {
  constexpr std::string_view kText = "as told";
  if (!fails) return 0;
  error.take(error.to, kText.data(), kText.size());
  return static_cast<std::int32_t>(base::ErrorCode::kInvalid);
}

void* made(std::size_t& count, ByteSink error) noexcept {
  if (result(error) != 0) return nullptr;
  ++count;
  return &calls;
}

TorchTable fake_table() {
  TorchTable table{};
  table.make_trainer = [](const TorchTrainerOptions* options, const float* start,
                          ByteSink error) noexcept {
    calls.seed = options->seed + (start == nullptr ? 0 : 1000);
    return made(calls.trainers, error);
  };
  table.free_trainer = [](void*) noexcept { --calls.trainers; };
  table.fit = [](void*, const float*, const Target*, std::size_t count, std::size_t passes,
                 ByteSink error) noexcept {
    calls.examples = count;
    calls.passes = passes;
    return result(error);
  };
  table.loss = [](const void*, const float*, const Target*, std::size_t, double* loss,
                  ByteSink error) noexcept {
    *loss = 0.5;
    return result(error);
  };
  table.weights = [](const void*, float* out) noexcept { out[Mlp::kWeights - 1] = 7; };
  table.archive = [](const void*, ByteSink bytes, ByteSink error) noexcept {
    if (!fails) bytes.take(bytes.to, "PK\0x", 4);
    return result(error);
  };
  table.load_scorer = [](const char*, std::size_t size, std::size_t, std::size_t* inputs,
                         std::size_t* outputs, ByteSink error) noexcept {
    *inputs = size;
    *outputs = 1;
    return made(calls.scorers, error);
  };
  table.free_scorer = [](void*) noexcept { --calls.scorers; };
  table.score = [](const void*, const float* features, std::size_t rows, float* out,
                   ByteSink error) noexcept {
    std::copy_n(features, rows, out);
    return result(error);
  };
  return table;
}

class ForeignTorchTest : public ::testing::Test {
 protected:
  ForeignTorchTest() {
    calls = {};
    fails = false;
  }
  [[nodiscard]] ForeignTorch torch() const { return ForeignTorch::over(table_).value(); }
  [[nodiscard]] std::string refusal() const { return ForeignTorch::over(table_).error().detail; }

  TorchTable table_ = fake_table();
};

TEST_F(ForeignTorchTest, RefusesATableOfAnotherBuild) {
  for (std::uint32_t TorchTable::* field :
       {&TorchTable::version, &TorchTable::size, &TorchTable::inputs, &TorchTable::heads,
        &TorchTable::weight_count}) {
    ++(table_.*field);
    EXPECT_THAT(refusal(), HasSubstr("the module with LibTorch is of another build"));
    --(table_.*field);
  }
  table_.version = 2;
  EXPECT_THAT(refusal(), HasSubstr("its version of the table is 2, expected 1"));
}

TEST_F(ForeignTorchTest, TrainerCallsThroughTheTable) {
  std::array<float, Mlp::kWeights> weights{};
  {
    const auto trainer = torch().make_trainer({.seed = 3}, std::nullopt).value();
    EXPECT_EQ(calls.seed, 3);
    EXPECT_EQ(torch().make_trainer({.seed = 3}, weights).ok(), true);
    EXPECT_EQ(calls.seed, 1003);
    const std::vector<float> features(2 * kInputs);
    const std::vector<Target> targets(2);
    EXPECT_TRUE(trainer->fit(features, targets, 5).ok());
    EXPECT_EQ(calls.examples, 2);
    EXPECT_EQ(calls.passes, 5);
    EXPECT_EQ(trainer->loss(features, targets).value(), 0.5);
    trainer->weights(weights);
    EXPECT_EQ(weights.back(), 7);
    EXPECT_EQ(trainer->archive().value(), std::string_view("PK\0x", 4));
    EXPECT_EQ(calls.trainers, 1);
    fails = true;
    EXPECT_EQ(trainer->fit(features, targets, 5).detail, "as told");
    EXPECT_EQ(trainer->loss(features, targets).error().detail, "as told");
    EXPECT_EQ(trainer->archive().error().detail, "as told");
    EXPECT_EQ(torch().make_trainer({}, std::nullopt).error().detail, "as told");
  }
  EXPECT_EQ(calls.trainers, 0);
}

TEST_F(ForeignTorchTest, ScorerCallsThroughTheTable) {
  {
    const auto scorer = torch().load_scorer("four", 64).value();
    EXPECT_EQ(scorer->inputs(), 4);
    EXPECT_EQ(scorer->outputs(), 1);
    std::array<float, 4> features = {0.25F};
    std::array<float, 1> out{};
    EXPECT_TRUE(scorer->score(features, 1, out).ok());
    EXPECT_EQ(out[0], 0.25F);
    EXPECT_EQ(calls.scorers, 1);
    fails = true;
    EXPECT_EQ(scorer->score(features, 1, out).detail, "as told");
    EXPECT_EQ(torch().load_scorer("four", 64).error().detail, "as told");
  }
  EXPECT_EQ(calls.scorers, 0);
}

TEST_F(ForeignTorchTest, OneIsTheProcess) {
  EXPECT_FALSE(ForeignTorch::in_use().has_value());
  static const TorchTable kTable = fake_table();
  ForeignTorch::over(kTable).value().use();
  ASSERT_TRUE(ForeignTorch::in_use().has_value());
  EXPECT_TRUE(ForeignTorch::in_use()->make_trainer({}, std::nullopt).ok());
}

}  // namespace
}  // namespace vcache::predictor
