#include "l1/policy/history.hpp"

#include <gtest/gtest.h>

#include <cstdint>

#include "policy_cache.hpp"

namespace vcache::l1::policy {
namespace {

using testing::hash_of;

TEST(History, RemembersAccessesOfAKey) {
  History history;
  const History::Slot slot = history.access(hash_of(1));
  history.access(hash_of(2));
  history.access(hash_of(3));
  EXPECT_EQ(history.access(hash_of(1)), slot);
  const predictor::KeyPast past = history.past(slot);
  EXPECT_EQ(past.first, 1U);
  EXPECT_EQ(past.last, 4U);
  EXPECT_EQ(past.accesses, 2);
  EXPECT_EQ(past.gaps[0], predictor::log_gap(3));
  EXPECT_EQ(past.gaps[1], 0);
  EXPECT_EQ(history.estimate(slot), 2);
  EXPECT_EQ(history.find(hash_of(4)), History::kNoSlot);
  EXPECT_EQ(history.now(), 4U);
}

TEST(History, ForgetsTheKeysNotAccessedLongest) {
  History history;
  history.set_limit(100);
  for (std::uint64_t key = 0; key < 100; ++key) history.access(hash_of(key));
  for (std::uint64_t round = 0; round < 20; ++round) {
    for (std::uint64_t key = 0; key < 10; ++key) history.access(hash_of(key));
    for (std::uint64_t key = 0; key < 10; ++key) history.access(hash_of(1'000 + 10 * round + key));
    ASSERT_LE(history.size(), 102U);
  }
  for (std::uint64_t key = 0; key < 10; ++key) {
    EXPECT_EQ(history.past(history.find(hash_of(key))).accesses, 21) << key;
  }
  EXPECT_EQ(history.find(hash_of(50)), History::kNoSlot);
}

TEST(History, ForgetsNoKeyThatIsHeld) {
  History history;
  history.set_limit(8);
  const History::Slot slot = history.access(hash_of(7));
  ASSERT_TRUE(history.hold(slot));
  ASSERT_TRUE(history.hold(slot));
  for (std::uint64_t key = 100; key < 400; ++key) history.access(hash_of(key));
  EXPECT_EQ(history.find(hash_of(7)), slot);
  history.let_go(slot);
  for (std::uint64_t key = 400; key < 500; ++key) history.access(hash_of(key));
  EXPECT_EQ(history.find(hash_of(7)), slot);
  history.let_go(slot);
  for (std::uint64_t key = 500; key < 600; ++key) history.access(hash_of(key));
  EXPECT_EQ(history.find(hash_of(7)), History::kNoSlot);
}

TEST(History, IsHeldByAsManyAsItCounts) {
  History history;
  const History::Slot slot = history.access(hash_of(1));
  unsigned holders = 0;
  while (history.hold(slot)) ++holders;
  EXPECT_EQ(holders, (1U << 14) - 1);
}

TEST(History, ItsMemoryIsBoundedByItsLimit) {
  constexpr std::size_t kKeys = 10'000;
  constexpr std::size_t kMostPerKey = 35;
  History history;
  history.set_limit(kKeys);
  for (std::uint64_t key = 0; key < 300'000; ++key) history.access(hash_of(key));
  EXPECT_LE(history.size(), kKeys);
  EXPECT_LE(history.memory_bytes(), kKeys * kMostPerKey);
}

}  // namespace
}  // namespace vcache::l1::policy
