#include "l1/access/access_ring.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "base/mutex.hpp"

namespace vcache::l1 {
namespace {

Access numbered(std::uint64_t number) { return {.key = number}; }

std::vector<std::uint64_t> keys_of(AccessRing& ring) {
  std::vector<Access> taken;
  ring.take(taken);
  std::vector<std::uint64_t> keys;
  for (const Access& access : taken) keys.push_back(access.key);
  return keys;
}

TEST(AccessRing, KeepsTheOrderAcrossItsEnd) {
  AccessRing ring(4);
  std::uint64_t next = 0;
  for (int round = 0; round < 7; ++round) {
    std::vector<std::uint64_t> pushed;
    for (int i = 0; i < 3; ++i) {
      pushed.push_back(next);
      ring.push(numbered(next++));
    }
    EXPECT_EQ(keys_of(ring), pushed);
  }
  EXPECT_EQ(ring.accepted(), 21U);
  EXPECT_EQ(ring.dropped(), 0U);
}

TEST(AccessRing, DropsAndCountsWhatItHasNoRoomFor) {
  AccessRing ring(3);  // rounded up
  for (std::uint64_t i = 0; i < 10; ++i) ring.push(numbered(i));
  EXPECT_EQ(ring.accepted(), 4U);
  EXPECT_EQ(ring.dropped(), 6U);
  EXPECT_EQ(keys_of(ring), (std::vector<std::uint64_t>{0, 1, 2, 3}));
  ring.push(numbered(10));
  EXPECT_EQ(keys_of(ring), std::vector<std::uint64_t>{10});
}

TEST(AccessRing, ProducersTakingTurnsAndAConsumerLoseNothingUncounted) {
  constexpr std::uint64_t kEach = 50'000;
  constexpr std::uint64_t kThreads = 3;
  AccessRing ring(256);
  base::SpinMutex turn;
  std::atomic<std::uint64_t> running = kThreads;
  std::vector<std::thread> producers;
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    producers.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        const base::SpinLock lock(turn);
        ring.push({.time = static_cast<std::int64_t>(i), .key = t});
      }
      --running;
    });
  }
  std::vector<Access> taken;
  while (running > 0) ring.take(taken);
  ring.take(taken);
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(taken.size(), ring.accepted());
  EXPECT_EQ(ring.accepted() + ring.dropped(), kThreads * kEach);
  std::array<std::int64_t, kThreads> last{-1, -1, -1};
  for (const Access& access : taken) {
    EXPECT_GT(access.time, last[access.key]);
    last[access.key] = access.time;
  }
}

}  // namespace
}  // namespace vcache::l1
