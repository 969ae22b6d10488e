#include "predictor/torch/torch_trainer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/optim/adam.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "predictor/torch/one_thread.hpp"
#include "predictor/torch/torch_scorer.hpp"
#include "support/examples.hpp"

namespace vcache::predictor {
namespace {

using testing::Examples;
using testing::random_examples;
using Weights = std::array<float, Mlp::kWeights>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::unique_ptr<Trainer> made(const TrainerOptions& options = {}, StartWeights start = {}) {
  auto trainer = make_torch_trainer(options, start);
  EXPECT_TRUE(trainer.ok());
  return std::move(trainer).value();
}

Weights weights_of(const Trainer& trainer) {
  Weights weights;
  trainer.weights(weights);
  return weights;
}

std::vector<float> scores_of(const Predictor& predictor, const std::vector<float>& features) {
  const std::size_t rows = features.size() / kInputs;
  std::vector<float> scores(rows * kHeads);
  EXPECT_TRUE(predictor.score(features, rows, scores).ok());
  return scores;
}

std::string fit_error(Trainer& trainer, const Examples& examples) {
  return trainer.fit(examples.features, examples.targets, 1).detail;
}

TEST(TorchTrainerTest, LearnsARuleAndIsCalibrated) {
  const Examples known = random_examples(8192, 1);
  const Examples unknown = random_examples(8192, 2);
  const auto trainer = made();
  const double before = trainer->loss(unknown.features, unknown.targets).value();
  ASSERT_TRUE(trainer->fit(known.features, known.targets, 8).ok());
  const double after = trainer->loss(unknown.features, unknown.targets).value();
  EXPECT_NEAR(before, std::log(2.0), 0.1);
  EXPECT_LT(after, unknown.entropy + 0.03);
  EXPECT_GT(after, unknown.entropy - 0.03);

  const auto scores = scores_of(*Mlp::from_weights(weights_of(*trainer)).value(), unknown.features);
  std::array<double, 4> expected{};
  std::array<double, 4> seen{};
  std::array<double, 4> count{};
  for (std::size_t row = 0; row < unknown.targets.size(); ++row) {
    const float score = scores[row * kHeads + unknown.targets[row].head];
    const auto bin = std::min<std::size_t>(static_cast<std::size_t>(score * 4), 3);
    expected[bin] += score;
    seen[bin] += unknown.targets[row].label;
    ++count[bin];
  }
  for (std::size_t bin = 0; bin < count.size(); ++bin) {
    ASSERT_GT(count[bin], 100);
    EXPECT_NEAR(expected[bin] / count[bin], seen[bin] / count[bin], 0.06) << bin;
  }
}

// Steps over all examples, recorded by autograd, from the same weights.
Weights steps_of_autograd(int steps, const Examples& examples, const Weights& start) {
  const OneThread one_thread;
  constexpr std::array<std::int64_t, 4> kWidths = {kInputs, Mlp::kHidden, Mlp::kHidden, kHeads};
  const at::Tensor all =
      at::from_blob(const_cast<float*>(start.data()), {Mlp::kWeights}, at::kFloat).clone();
  std::vector<at::Tensor> parameters;
  for (std::int64_t i = 0, from = 0; i < 3; ++i) {
    for (const std::int64_t rows : {kWidths[i], std::int64_t{1}}) {
      const std::int64_t size = rows * kWidths[i + 1];
      parameters.push_back(all.narrow(0, from, size).view({rows, kWidths[i + 1]}).clone());
      parameters.back().requires_grad_();
      from += size;
    }
  }
  const auto n = static_cast<std::int64_t>(examples.targets.size());
  const at::Tensor features =
      at::from_blob(const_cast<float*>(examples.features.data()), {n, kInputs}, at::kFloat);
  const at::Tensor labels = at::zeros({n, kHeads}, at::kFloat);
  const at::Tensor weights = at::zeros({n, kHeads}, at::kFloat);
  for (std::int64_t i = 0; i < n; ++i) {
    const Target& target = examples.targets[static_cast<std::size_t>(i)];
    labels[i][target.head] = target.label;
    weights[i][target.head] = target.weight;
  }
  torch::optim::Adam adam(parameters, torch::optim::AdamOptions(1e-3));
  for (int step = 0; step < steps; ++step) {
    at::Tensor x = features;
    for (std::size_t i = 0; i < 6; i += 2) {
      x = at::mm(x, parameters[i]) + parameters[i + 1];
      if (i < 4) x = at::relu(x);
    }
    adam.zero_grad();
    at::binary_cross_entropy_with_logits(x, labels, weights, {}, at::Reduction::Sum)
        .div(weights.sum())
        .backward();
    adam.step();
  }
  Weights out;
  float* to = out.data();
  for (const at::Tensor& parameter : parameters) {
    to = std::copy_n(parameter.const_data_ptr<float>(), parameter.numel(), to);
  }
  return out;
}

TEST(TorchTrainerTest, StepsAreThoseOfAutogradAndAdam) {
  Examples examples = random_examples(300, 3);
  for (std::size_t i = 0; i < 300; ++i) examples.targets[i].weight = 0.5F + 0.01F * float(i % 100);
  const auto trainer = made({.batch_size = 300});
  const Weights expected = steps_of_autograd(20, examples, weights_of(*trainer));
  ASSERT_TRUE(trainer->fit(examples.features, examples.targets, 20).ok());
  const Weights actual = weights_of(*trainer);
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 2e-5) << i;
}

TEST(TorchTrainerTest, LearnsOfTheExamplesHeadOnly) {
  Examples examples = random_examples(500, 4);
  for (Target& target : examples.targets) target.head = 2;
  const auto trainer = made();
  const Weights before = weights_of(*trainer);
  ASSERT_TRUE(trainer->fit(examples.features, examples.targets, 2).ok());
  const Weights after = weights_of(*trainer);
  constexpr std::size_t kLast = Mlp::kWeights - (Mlp::kHidden + 1) * kHeads;
  for (std::size_t i = kLast; i < Mlp::kWeights; ++i) {
    if ((i - kLast) % kHeads == 2) continue;
    EXPECT_EQ(before[i], after[i]) << i;
  }
  EXPECT_NE(before[kLast + 2], after[kLast + 2]);
}

TEST(TorchTrainerTest, ExamplesOfNoWeightTeachNothing) {
  Examples examples = random_examples(256, 5);
  Examples more = examples;
  const Examples noise = random_examples(256, 6);
  more.features.insert(more.features.end(), noise.features.begin(), noise.features.end());
  for (Target target : noise.targets) more.targets.push_back({target.label, 0, target.head});
  const auto trainer = made();
  EXPECT_NEAR(trainer->loss(examples.features, examples.targets).value(),
              trainer->loss(more.features, more.targets).value(), 1e-9);
  for (Target& target : more.targets) target.weight = 0;
  EXPECT_EQ(fit_error(*trainer, more), "examples weigh nothing together");
  EXPECT_EQ(fit_error(*trainer, {}), "examples weigh nothing together");
}

TEST(TorchTrainerTest, EqualCallsGiveEqualWeights) {
  const Examples examples = random_examples(1000, 7);
  const auto fitted = [&](std::uint64_t seed) {
    const auto trainer = made({.batch_size = 96, .seed = seed});
    EXPECT_TRUE(trainer->fit(examples.features, examples.targets, 3).ok());
    EXPECT_TRUE(trainer->fit(examples.features, examples.targets, 1).ok());
    return weights_of(*trainer);
  };
  EXPECT_EQ(fitted(1), fitted(1));
  EXPECT_NE(fitted(1), fitted(2));
}

TEST(TorchTrainerTest, BeginsWithTheWeightsItIsGiven) {
  const Weights start = weights_of(*made({.seed = 5}));
  EXPECT_EQ(weights_of(*made({.seed = 6}, start)), start);
  Weights wrong = start;
  wrong[100] = kNan;
  EXPECT_EQ(make_torch_trainer({}, wrong).error().detail, "weights to start from are not finite");
}

TEST(TorchTrainerTest, ArchiveScoresAsTheTwin) {
  const Examples examples = random_examples(4096, 8);
  const auto trainer = made();
  ASSERT_TRUE(trainer->fit(examples.features, examples.targets, 2).ok());
  const auto archive = trainer->archive();
  ASSERT_TRUE(archive.ok()) << archive.error().detail;
  const auto scorer = load_torch_scorer(archive.value(), 512);
  ASSERT_TRUE(scorer.ok()) << scorer.error().detail;
  EXPECT_EQ(scorer.value()->inputs(), kInputs);
  EXPECT_EQ(scorer.value()->outputs(), kHeads);
  const auto twin = Mlp::from_weights(weights_of(*trainer));
  const auto expected = scores_of(*twin.value(), examples.features);
  const auto scores = scores_of(*scorer.value(), examples.features);
  for (std::size_t i = 0; i < scores.size(); ++i) ASSERT_NEAR(scores[i], expected[i], 1e-5);
}

TEST(TorchTrainerTest, RefusesWhatCannotBeLearnedAndStaysAsItWas) {
  const Examples good = random_examples(64, 9);
  const auto trainer = made();
  const Weights before = weights_of(*trainer);
  const auto error = [&](auto spoil) {
    Examples bad = good;
    spoil(bad);
    const std::string loss = trainer->loss(bad.features, bad.targets).error().detail;
    EXPECT_EQ(fit_error(*trainer, bad), loss);
    return loss;
  };
  const std::string feature = "example 3 has a feature that is not finite";
  EXPECT_EQ(error([](Examples& e) { e.features[3 * kInputs + 5] = kNan; }), feature);
  EXPECT_EQ(error([](Examples& e) { e.features[4 * kInputs - 1] = -kInfinity; }), feature);
  EXPECT_THAT(error([](Examples& e) { e.targets[7].label = kNan; }),
              ::testing::HasSubstr("example 7 has label nan"));
  EXPECT_EQ(error([](Examples& e) { e.targets[7].label = 2; }),
            "example 7 has label 2.000000: allowed is 0 to 1");
  EXPECT_EQ(error([](Examples& e) { e.targets[0].weight = -1; }),
            "example 0 has weight -1.000000: allowed is a finite one of at least 0");
  EXPECT_THAT(error([](Examples& e) { e.targets[0].weight = kNan; }),
              ::testing::HasSubstr("weight nan"));
  EXPECT_EQ(error([](Examples& e) { e.targets[63].head = kHeads; }),
            "example 63 has head 5: allowed is less than the model's heads");
  EXPECT_EQ(weights_of(*trainer), before);
}

TEST(TorchTrainerTest, AFitThatDivergesIsAnErrorAndUndone) {
  Examples examples = random_examples(64, 10);
  for (float& feature : examples.features) feature = std::numeric_limits<float>::max();
  const auto trainer = made();
  const Weights before = weights_of(*trainer);
  EXPECT_EQ(fit_error(*trainer, examples), "model has weights that are not finite");
  EXPECT_EQ(weights_of(*trainer), before);
  const Examples good = random_examples(64, 11);
  EXPECT_EQ(fit_error(*trainer, good), "");
  EXPECT_NE(weights_of(*trainer), before);
}

TEST(TorchTrainerTest, Options) {
  const auto error = [](const TrainerOptions& options) {
    return make_torch_trainer(options, {}).error().detail;
  };
  EXPECT_EQ(error({.batch_size = 0}), "batch_size=0: allowed is 1 to 4096");
  EXPECT_EQ(error({.batch_size = 4097}), "batch_size=4097: allowed is 1 to 4096");
  for (const double rate : {0.0, -1.0, 1.5, std::nan("")}) {
    EXPECT_THAT(error({.learning_rate = rate}), ::testing::StartsWith("learning_rate="));
  }
}

TEST(TorchTrainerTest, WorksWithinInferenceModeAsOutsideIt) {
  const Examples examples = random_examples(200, 12);
  const auto fitted = [&] {
    const auto trainer = made();
    EXPECT_TRUE(trainer->fit(examples.features, examples.targets, 2).ok());
    EXPECT_TRUE(trainer->archive().ok());
    return weights_of(*trainer);
  };
  const Weights outside = fitted();
  const c10::InferenceMode inference;
  EXPECT_EQ(fitted(), outside);
}

}  // namespace
}  // namespace vcache::predictor
