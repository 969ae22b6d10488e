#include "predictor/mlp.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

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
