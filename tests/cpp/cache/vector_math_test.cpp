#include "cache/vector_math.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace vcache::cache {
namespace {

base::Digest128 digest(std::vector<double> values, std::optional<int> precision = {}) {
  const std::array<std::size_t, 1> shape{values.size()};
  return digest_vector(values, shape, precision).value();
}

TEST(DigestVectorTest, RoundsToThePrecision) {
  EXPECT_EQ(digest({0.12345678}, 6), digest({0.12345699}, 6));
  EXPECT_NE(digest({0.123456}, 6), digest({0.123457}, 6));
  EXPECT_NE(digest({0.12345678}), digest({0.12345699}));
}

TEST(DigestVectorTest, NegativeZeroIsZero) {
  EXPECT_EQ(digest({-0.0}), digest({0.0}));
  EXPECT_EQ(digest({-1e-9}, 6), digest({0.0}, 6));
}

TEST(DigestVectorTest, KeepsWhatTheScaleTakesOutOfRange) {
  EXPECT_NE(digest({1e305}, 6), digest({2e305}, 6));
  EXPECT_NE(digest({0x1p60}, 6), digest({0x1p60 + 256}, 6));
  EXPECT_NE(digest({-1e305}, 6), digest({1e305}, 6));
  EXPECT_EQ(digest({0.0}, 400), digest({-0.0}, 400));
}

TEST(DigestVectorTest, ShapeCounts) {
  const std::vector<double> values{1, 2, 3, 4};
  const std::array<std::size_t, 2> square{2, 2};
  EXPECT_NE(digest_vector(values, square, {}).value(), digest(values));
}

TEST(DigestVectorTest, RefusesWhatIsNotFinite) {
  const std::array<std::size_t, 1> shape{2};
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const std::array<double, 2> values{0, bad};
    const auto result = digest_vector(values, shape, {});
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.error().detail.find("element 1"), std::string::npos);
  }
}

TEST(NormalizeRowsTest, GivesLengthOneAndLeavesZeros) {
  std::vector<float> matrix{3, 4, 0, 0};
  normalize_rows(matrix, 2);
  EXPECT_FLOAT_EQ(matrix[0], 0.6F);
  EXPECT_FLOAT_EQ(matrix[1], 0.8F);
  EXPECT_EQ(matrix[2], 0);
}

TEST(NormalizeRowsTest, TakesRowsWhoseLengthIsNoFloat) {
  std::vector<float> matrix{3e38F, 3e38F, 1e-40F, 0};
  normalize_rows(matrix, 2);
  EXPECT_FLOAT_EQ(matrix[0], std::sqrt(0.5F));
  EXPECT_FLOAT_EQ(matrix[1], std::sqrt(0.5F));
  EXPECT_FLOAT_EQ(matrix[2], 1);
}

}  // namespace
}  // namespace vcache::cache
