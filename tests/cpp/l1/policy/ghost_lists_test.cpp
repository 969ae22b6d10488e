#include "l1/policy/ghost_lists.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <list>
#include <random>
#include <utility>

namespace vcache::l1::policy {
namespace {

using List = GhostLists::List;

TEST(GhostLists, RemembersInWhichListAndHowLarge) {
  GhostLists ghosts;
  ghosts.add(List::kFirst, 7, 100);
  ghosts.add(List::kSecond, 8, 50);
  EXPECT_EQ(ghosts.find(7), List::kFirst);
  EXPECT_EQ(ghosts.find(8), List::kSecond);
  EXPECT_EQ(ghosts.find(9), std::nullopt);
  EXPECT_EQ(ghosts.bytes(List::kFirst), 100U);
  EXPECT_EQ(ghosts.bytes(), 150U);
  EXPECT_EQ(ghosts.size(), 2U);
}

TEST(GhostLists, OneThatComesAgainIsRememberedOnce) {
  GhostLists ghosts;
  ghosts.add(List::kFirst, 1, 10);
  ghosts.add(List::kFirst, 2, 10);
  ghosts.add(List::kFirst, 1, 30);
  ghosts.forget_oldest(List::kFirst);
  EXPECT_EQ(ghosts.find(2), std::nullopt);
  ghosts.add(List::kSecond, 1, 5);
  EXPECT_EQ(ghosts.find(1), List::kSecond);
  EXPECT_EQ(ghosts.size(), 1U);
  EXPECT_EQ(ghosts.bytes(), 5U);
}

TEST(GhostLists, RemovalForgets) {
  GhostLists ghosts;
  ghosts.add(List::kFirst, 1, 10);
  EXPECT_TRUE(ghosts.remove(1));
  EXPECT_FALSE(ghosts.remove(1));
  EXPECT_EQ(ghosts.size(), 0U);
  EXPECT_EQ(ghosts.bytes(), 0U);
}

// Against two plain lists, newest first, of fingerprints and bytes.
TEST(GhostLists, AgreesWithPlainListsOverARandomLife) {
  using Plain = std::list<std::pair<std::uint32_t, std::uint32_t>>;
  std::array<Plain, 2> plain;
  GhostLists ghosts;
  std::mt19937 random(3);
  const auto forget = [&](std::uint32_t fingerprint) {
    std::size_t gone = 0;
    for (Plain& list : plain) {
      gone += std::erase_if(list, [&](const auto& each) { return each.first == fingerprint; });
    }
    return gone > 0;
  };
  for (int i = 0; i < 20'000; ++i) {
    const auto fingerprint = static_cast<std::uint32_t>(1 + random() % 100);
    const auto list = static_cast<List>(random() % 2);
    Plain& same = plain[static_cast<std::size_t>(list)];
    if (random() % 4 == 0) {
      ASSERT_EQ(ghosts.remove(fingerprint), forget(fingerprint));
    } else if (random() % 4 == 0 && !same.empty()) {
      ghosts.forget_oldest(list);
      same.pop_back();
    } else {
      const auto bytes = static_cast<std::uint32_t>(random() % 1'000);
      ghosts.add(list, fingerprint, bytes);
      forget(fingerprint);
      same.emplace_front(fingerprint, bytes);
    }
    std::uint64_t bytes = 0;
    for (const auto& each : same) bytes += each.second;
    ASSERT_EQ(ghosts.size(list), same.size());
    ASSERT_EQ(ghosts.bytes(list), bytes);
    if (same.empty()) continue;
    ASSERT_EQ(ghosts.find(same.back().first), list);
  }
}

}  // namespace
}  // namespace vcache::l1::policy
