#include "cache/vector_math.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "base/random.hpp"

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

template <class T>
void expect_the_same(const std::vector<T>& row, int precision) {
  const auto quick = digest_row(std::span<const T>(row), precision);
  ASSERT_TRUE(quick.has_value());
  EXPECT_EQ(*quick, digest({row.begin(), row.end()}, precision));
}

TEST(DigestRowTest, SaysWhatTheLongWaySays) {
  std::uint64_t state = 3;
  for (const std::size_t width : {1U, 7U, 8U, 9U, 384U, 1536U}) {
    for (int precision = 0; precision <= 15; ++precision) {
      std::vector<double> row(width);
      for (double& each : row) each = 4 * base::random_unit(state) - 2;
      row[width / 2] = precision == 0 ? 2.5 : -0.0;
      expect_the_same(row, precision);
      expect_the_same(std::vector<float>(row.begin(), row.end()), precision);
    }
  }
  const double half = 0.5e-3;
  expect_the_same<double>({half, 3 * half, -half, 5 * half, 0.1, 1e-300, 2e9, -1e9}, 3);
}

TEST(DigestRowTest, LeavesTheRestToTheLongWay) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double value : {std::nan(""), infinity, -infinity, 1e300, -0x1p52}) {
    for (const std::size_t place : {0U, 10U}) {
      std::vector<double> row(11, 0.5);
      row[place] = value;
      EXPECT_EQ(digest_row(std::span<const double>(row), 6), std::nullopt);
    }
  }
  const std::vector<float> row(kMaxQuickRow + 1);
  EXPECT_EQ(digest_row(std::span<const float>(row), 6), std::nullopt);
  EXPECT_EQ(digest_row(std::span<const float>(row).first(3), std::nullopt), std::nullopt);
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
