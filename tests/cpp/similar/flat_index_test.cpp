#include "similar/flat_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "similar/dot_rows.hpp"
#include "support/in_child.hpp"

namespace vcache::similar {
namespace {

using Vector = std::vector<double>;

constexpr std::size_t kPlenty = std::size_t{1} << 30;

// One of many directions of `width` dimensions.
Vector direction(std::uint64_t number, std::size_t width) {
  std::uint64_t state = number;
  Vector out(width);
  for (double& each : out) each = base::random_unit(state) - 0.5;
  return out;
}

double cosine(const Vector& a, const Vector& b) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

TEST(FlatIndex, FindsTheNearestOfAll) {
  for (const std::size_t width : {1U, 3U, 64U, 65U, 384U}) {
    FlatIndex index(width, kPlenty);
    std::vector<Vector> all;
    for (std::uint64_t i = 0; i < 300; ++i) {
      all.push_back(direction(i, width));
      ASSERT_EQ(index.add(all.back()), i + 1);
    }
    for (std::uint64_t i = 1000; i < 1020; ++i) {
      const Vector query = direction(i, width);
      const auto found = index.nearest(query, -1.1F, 300);
      ASSERT_EQ(found.size(), all.size());
      for (std::size_t n = 0; n < found.size(); ++n) {
        EXPECT_NEAR(found[n].similarity, cosine(query, all[found[n].id - 1]), 1e-5);
        EXPECT_LE(found[n].similarity, found[n == 0 ? 0 : n - 1].similarity);
      }
      const auto best = index.nearest(query, -1.1F, 1);
      ASSERT_EQ(best.size(), 1U);
      EXPECT_EQ(best[0].id, found[0].id);
    }
  }
}

TEST(FlatIndex, GivesWhatIsNearEnoughAndNoMore) {
  FlatIndex index(2, kPlenty);
  ASSERT_TRUE(index.add(Vector{1, 0}));
  ASSERT_TRUE(index.add(Vector{1, 0.1}));
  ASSERT_TRUE(index.add(Vector{0, 1}));
  EXPECT_EQ(index.nearest(Vector{1, 0}, 0.9F, 8).size(), 2U);
  EXPECT_EQ(index.nearest(Vector{1, 0}, 0.999F, 8).size(), 1U);
  EXPECT_EQ(index.nearest(Vector{1, 0}, 0.9F, 0).size(), 0U);
  EXPECT_TRUE(index.nearest(Vector{-1, 0}, 0.1F, 8).empty());
}

TEST(FlatIndex, OfEqualsTheOlderIsFirst) {
  FlatIndex index(2, kPlenty);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(index.add(Vector{2, 2}));
  const auto found = index.nearest(Vector{1, 1}, 0.5F, 2);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].id, 1U);
  EXPECT_EQ(found[1].id, 2U);
}

TEST(FlatIndex, TakesNumbersOfAnySize) {
  FlatIndex index(2, kPlenty);
  ASSERT_TRUE(index.add(Vector{1e300, 1e300}));
  ASSERT_TRUE(index.add(Vector{1e-300, -1e-300}));
  ASSERT_TRUE(index.add(Vector{std::numeric_limits<double>::denorm_min(), 0}));
  EXPECT_EQ(index.nearest(Vector{1, 1}, 0.99F, 1).at(0).id, 1U);
  EXPECT_EQ(index.nearest(Vector{1e-310, -1e-310}, 0.99F, 1).at(0).id, 2U);
  EXPECT_EQ(index.nearest(Vector{1, 0}, 0.99F, 1).at(0).id, 3U);
}

TEST(FlatIndex, AVectorWithoutADirectionIsNeitherStoredNorFound) {
  FlatIndex index(2, kPlenty);
  ASSERT_TRUE(index.add(Vector{1, 1}));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  for (const Vector& none : {Vector{0, 0}, Vector{-0.0, 0}, Vector{nan, 1}, Vector{1, -inf}}) {
    EXPECT_EQ(index.add(none), std::nullopt);
    EXPECT_TRUE(index.nearest(none, -1.1F, 8).empty());
  }
  EXPECT_EQ(index.size(), 1U);
}

TEST(FlatIndex, WhatWasRemovedIsNotFound) {
  FlatIndex index(8, kPlenty);
  for (std::uint64_t i = 0; i < 500; ++i) ASSERT_TRUE(index.add(direction(i, 8)));
  for (std::uint64_t id = 1; id <= 500; id += 2) EXPECT_TRUE(index.remove(id));
  EXPECT_FALSE(index.remove(1));
  EXPECT_FALSE(index.remove(0));
  EXPECT_FALSE(index.remove(501));
  EXPECT_EQ(index.size(), 250U);
  for (std::uint64_t i = 0; i < 500; ++i) {
    const auto found = index.nearest(direction(i, 8), 0.9999F, 1);
    EXPECT_EQ(!found.empty() && found[0].id == i + 1, i % 2 == 1);
  }
  const std::size_t half = index.memory_bytes();
  for (std::uint64_t id = 2; id <= 500; id += 2) EXPECT_TRUE(index.remove(id));
  EXPECT_EQ(index.size(), 0U);
  EXPECT_LT(index.memory_bytes(), half / 4);
  EXPECT_TRUE(index.nearest(direction(3, 8), -1.1F, 8).empty());
}

TEST(FlatIndex, TheOldestLeaveWhereThereIsNoRoom) {
  constexpr std::size_t kBytes = 100 * 64 * sizeof(float);
  FlatIndex index(64, kBytes);
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    ASSERT_EQ(index.add(direction(i, 64)), i);
    EXPECT_LE(index.memory_bytes(), kBytes + sizeof(FlatIndex));
    EXPECT_EQ(index.size(), i - index.oldest() + 1);
  }
  EXPECT_GT(index.size(), 30U);
  EXPECT_FALSE(index.remove(index.oldest() - 1));
  EXPECT_TRUE(index.nearest(direction(1, 64), 0.9999F, 1).empty());
  EXPECT_EQ(index.nearest(direction(1000, 64), 0.9999F, 1).at(0).id, 1000U);
}

TEST(FlatIndex, TheNewestStaysWhateverTheRoom) {
  FlatIndex index(64, 0);
  for (std::uint64_t i = 1; i <= 20; ++i) {
    ASSERT_TRUE(index.add(direction(i, 64)));
    EXPECT_EQ(index.nearest(direction(i, 64), 0.9999F, 1).at(0).id, i);
  }
}

TEST(FlatIndex, GivesUpItsOldestBlock) {
  FlatIndex index(3, kPlenty);
  EXPECT_TRUE(index.take_oldest().ids.empty());
  for (std::uint64_t i = 1; i <= 200; ++i) ASSERT_TRUE(index.add(direction(i, 3)));
  ASSERT_TRUE(index.remove(2));
  std::vector<std::uint64_t> ids;
  while (index.size() > 0) {
    const Rows rows = index.take_oldest();
    ASSERT_EQ(rows.values.size(), rows.ids.size() * 3);
    for (std::size_t row = 0; row < rows.ids.size(); ++row) {
      ids.push_back(rows.ids[row]);
      const Vector kept(rows.values.begin() + static_cast<std::ptrdiff_t>(row * 3),
                        rows.values.begin() + static_cast<std::ptrdiff_t>(row * 3 + 3));
      EXPECT_NEAR(cosine(kept, direction(rows.ids[row], 3)), 1, 1e-6);
    }
    EXPECT_GT(index.oldest(), ids.back());
  }
  ASSERT_EQ(ids.size(), 199U);
  EXPECT_EQ(ids[0], 1U);
  EXPECT_EQ(ids[1], 3U);
  EXPECT_EQ(ids.back(), 200U);
}

TEST(FlatIndex, ThreadsAddRemoveAndSearch) {
  constexpr std::uint64_t kEach = 500;
  FlatIndex index(16, kPlenty);
  std::atomic<int> wrong{0};
  const auto work = [&](std::uint64_t seed) {
    for (std::uint64_t i = 0; i < kEach; ++i) {
      const Vector vector = direction(seed * kEach + i, 16);
      const auto id = index.add(vector);
      const auto found = index.nearest(vector, 0.9999F, 4);
      const auto is_it = [&](const Neighbour& each) { return each.id == id; };
      if (std::none_of(found.begin(), found.end(), is_it)) ++wrong;
      if (i % 3 == 0 && !index.remove(*id)) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 4; ++seed) threads.emplace_back(work, seed);
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(wrong, 0);
}

TEST(FlatIndex, ThreadsTakeWhatOthersSearch) {
  constexpr std::size_t kBytes = 200 * 64 * sizeof(float);
  FlatIndex index(16, kBytes);
  const auto work = [&](std::uint64_t seed) {
    for (std::uint64_t i = 0; i < 2000; ++i) {
      const auto id = index.add(direction(seed, 16));
      static_cast<void>(index.nearest(direction(seed, 16), 0.5F, 4));
      if (i % 3 == 0) static_cast<void>(index.remove(*id));
      if (i % 64 == 0) static_cast<void>(index.take_oldest());
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 4; ++seed) threads.emplace_back(work, seed);
  for (std::thread& each : threads) each.join();
  EXPECT_LE(index.memory_bytes(), kBytes + sizeof(FlatIndex));
  EXPECT_EQ(index.nearest(direction(1, 16), -1.1F, 10'000).size(), index.size());
}

TEST(FlatIndex, AForkedChildHasWhatItsParentHad) {
  FlatIndex index(4, kPlenty);
  ASSERT_TRUE(index.add(direction(7, 4)));
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop && testing::kForksUnderLoad)
      static_cast<void>(index.remove(*index.add(direction(8, 4))));
  });
  for (int i = 0; i < 20; ++i) {
    const bool ok = testing::holds_in_child([&] {
      return index.nearest(direction(7, 4), 0.9999F, 1).at(0).id == 1 &&
             index.add(Vector{1, 2, 3, 4});
    });
    EXPECT_TRUE(ok);
  }
  stop = true;
  busy.join();
}

TEST(DotRows, TheBaselineSaysTheSame) {
  constexpr std::size_t kWidth = 192;
  std::vector<float> rows(5 * kWidth);
  std::vector<float> query(kWidth);
  const Vector numbers = direction(5, rows.size());
  std::copy(numbers.begin(), numbers.end(), rows.begin());
  std::copy_n(numbers.rbegin(), kWidth, query.begin());
  std::vector<float> quick(5);
  std::vector<float> plain(5);
  dot_rows(rows.data(), 5, kWidth, query.data(), quick.data());
  dot_rows_by_baseline(rows.data(), 5, kWidth, query.data(), plain.data());
  for (std::size_t row = 0; row < 5; ++row) {
    double sum = 0;
    for (std::size_t i = 0; i < kWidth; ++i) {
      sum += double{rows[row * kWidth + i]} * double{query[i]};
    }
    EXPECT_NEAR(quick[row], sum, 1e-4);
    EXPECT_NEAR(plain[row], sum, 1e-4);
  }
}

}  // namespace
}  // namespace vcache::similar
