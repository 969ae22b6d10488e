#include "l1/policy/ghost.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

namespace vcache::l1::policy {
namespace {

TEST(Ghost, ForgetsTheOldestBeyondItsLimit) {
  Ghost ghost;
  for (std::uint32_t f = 1; f <= 5; ++f) ghost.add(f, 3);
  EXPECT_FALSE(ghost.remove(1));
  EXPECT_FALSE(ghost.remove(2));
  EXPECT_TRUE(ghost.remove(3));
  EXPECT_TRUE(ghost.remove(5));
  EXPECT_FALSE(ghost.remove(5));
}

TEST(Ghost, HoldsNothingWhenTheLimitIsZero) {
  Ghost ghost;
  ghost.add(1, 1);
  ghost.add(2, 0);
  EXPECT_FALSE(ghost.remove(1));
  EXPECT_FALSE(ghost.remove(2));
  EXPECT_EQ(ghost.size(), 0U);
}

// Few distinct fingerprints over a small table, so that probe runs collide and wrap.
TEST(Ghost, AgreesWithAQueue) {
  constexpr std::size_t kLimit = 100;
  std::mt19937_64 random(1);
  Ghost ghost;
  std::deque<std::uint32_t> places;  // 0: removed
  for (int i = 0; i < 200'000; ++i) {
    const auto f = static_cast<std::uint32_t>((random() % 40 + 1) | (random() % 6 << 8));
    const auto found = std::find(places.begin(), places.end(), f);
    const bool known = found != places.end();
    if (known) *found = 0;
    if (random() % 2 == 0) {
      ASSERT_EQ(ghost.remove(f), known);
      continue;
    }
    ghost.add(f, kLimit);
    while (places.size() >= kLimit) places.pop_front();
    places.push_back(f);
    ASSERT_EQ(ghost.size(), places.size());
  }
  EXPECT_LE(ghost.memory_bytes(), 24 * kLimit);
}

}  // namespace
}  // namespace vcache::l1::policy
