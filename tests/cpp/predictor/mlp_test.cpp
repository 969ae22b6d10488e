#include "predictor/mlp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "predictor/mlp_layers.hpp"
#include "support/models.hpp"

namespace vcache::predictor {
namespace {

std::string file_of(const testing::Weights& weights) {
  constexpr std::array<std::uint32_t, 3> kDims = {kInputs, Mlp::kHidden, kHeads};
  std::string bytes = "vcache-mlp-1\n";
  bytes.append(reinterpret_cast<const char*>(kDims.data()), sizeof(kDims));
  bytes.append(reinterpret_cast<const char*>(weights.data()), sizeof(weights));
  return bytes;
}

TEST(Mlp, ScoresRowsOneByOne) {
  const auto model = testing::model_of(3, 2);
  std::vector<float> features(2 * kInputs, 0.5F);
  features[kInputs + 3] = -1;
  std::vector<float> out(2 * kHeads);
  ASSERT_TRUE(model->score(features, 2, out).ok());
  for (std::size_t head = 0; head < kHeads; ++head) {
    EXPECT_FLOAT_EQ(out[head], 1 / (1 + std::exp(-1.0F)));
    EXPECT_FLOAT_EQ(out[kHeads + head], 0.5);
  }
  EXPECT_EQ(model->inputs(), kInputs);
  EXPECT_EQ(model->outputs(), kHeads);
}

// As the model is defined, in double precision.
template <class Layer>
std::vector<double> through(const Layer& layer, const std::vector<double>& in) {
  std::vector<double> out(layer.biases.begin(), layer.biases.end());
  for (std::size_t i = 0; i < in.size(); ++i) {
    for (std::size_t j = 0; j < out.size(); ++j) {
      out[j] += in[i] * static_cast<double>(layer.weights[i][j]);
    }
  }
  return out;
}

std::vector<double> rectified(std::vector<double> values) {
  for (double& value : values) value = std::max(value, 0.0);
  return values;
}

template <class Layer>
void fill(Layer& layer, std::uint64_t& random, double widest) {
  const auto drawn = [&] {
    return static_cast<float>(widest * (2 * base::random_unit(random) - 1));
  };
  for (auto& row : layer.weights) std::ranges::generate(row, drawn);
  std::ranges::generate(layer.biases, drawn);
}

TEST(Mlp, VectorsOfAnyWidthScoreAsItIsDefined) {
  std::uint64_t random = 5;
  MlpLayers layers;
  fill(layers.first, random, 0.5);
  fill(layers.second, random, 0.5);
  fill(layers.last, random, 2);
  constexpr std::size_t kRows = 21;
  std::vector<float> features(kRows * kInputs);
  for (float& each : features) each = static_cast<float>(6 * base::random_unit(random) - 3);
  std::vector<float> fast(kRows * kHeads);
  std::vector<float> baseline(kRows * kHeads);
  score_rows(layers, features.data(), kRows, fast.data());
  score_rows_by_baseline(layers, features.data(), kRows, baseline.data());
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto* from = &features[row * kInputs];
    const std::vector<double> hidden = rectified(through(layers.first, {from, from + kInputs}));
    const std::vector<double> out = through(layers.last, rectified(through(layers.second, hidden)));
    for (std::size_t head = 0; head < kHeads; ++head) {
      const double expected = 1 / (1 + std::exp(-out[head]));
      EXPECT_NEAR(fast[row * kHeads + head], expected, 1e-5);
      EXPECT_NEAR(baseline[row * kHeads + head], expected, 1e-5);
    }
  }
}

TEST(Mlp, ScoresOfAnySizeAreProbabilitiesAndOfNanAreNan) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const float extreme : {-3e38F, -1e4F, -88.0F, 0.0F, 88.0F, 1e4F, 3e38F, kNan}) {
    MlpLayers layers;
    layers.last.biases.fill(extreme);
    const std::array<float, kInputs> features{};
    std::array<float, kHeads> out{};
    for (const auto& scores : {score_rows, score_rows_by_baseline}) {
      scores(layers, features.data(), 1, out.data());
      for (const float head : out) {
        EXPECT_EQ(std::isnan(head), std::isnan(extreme)) << extreme;
        if (std::isnan(extreme)) continue;
        EXPECT_NEAR(head, 1 / (1 + std::exp(-extreme)), 1e-6) << extreme;
      }
    }
  }
}

TEST(Mlp, IsReadFromAFile) {
  const auto model = Mlp::from_file(file_of(testing::weights_of(0, 1)));
  EXPECT_EQ(model.value()->file(), file_of(testing::weights_of(0, 1)));
  ASSERT_TRUE(model.ok());
  std::array<float, kInputs> features{};
  features[0] = 3;
  std::array<float, kHeads> out{};
  ASSERT_TRUE(model.value()->score(features, 1, out).ok());
  EXPECT_FLOAT_EQ(out[kHeads - 1], 1 / (1 + std::exp(-3.0F)));
}

TEST(Mlp, RefusesOtherFilesAndSaysWhy) {
  const std::string good = file_of(testing::weights_of(0, 1));
  const auto why = [](const std::string& bytes) { return Mlp::from_file(bytes).error().detail; };
  EXPECT_NE(why("").find("does not begin with vcache-mlp-1"), std::string::npos);
  EXPECT_NE(why("PK\x03\x04").find("does not begin"), std::string::npos);
  EXPECT_NE(why(good.substr(0, good.size() - 1)).find("this one"), std::string::npos);
  EXPECT_NE(why(good + "x").find("this one"), std::string::npos);
  std::string other = good;
  other[13] = 16;
  EXPECT_NE(why(other).find("other inputs"), std::string::npos);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    testing::Weights weights = testing::weights_of(0, 1);
    weights[41] = bad;
    EXPECT_NE(why(file_of(weights)).find("weight 41 of the model is not finite"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace vcache::predictor
