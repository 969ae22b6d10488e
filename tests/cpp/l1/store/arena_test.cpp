#include "l1/store/arena.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

namespace vcache::l1::store {
namespace {

constexpr std::size_t kChunk = std::size_t{64} << 10;

struct Release {
  void operator()(Arena* arena) const noexcept { arena->release(); }
};
using ArenaPtr = std::unique_ptr<Arena, Release>;

ArenaPtr make_arena(std::size_t limit, std::size_t chunk = kChunk) {
  ArenaPtr arena(new Arena(chunk));
  arena->set_limit(limit);
  return arena;
}

TEST(ArenaTest, AddressesAreEightPastAMultipleOfSixteen) {
  const ArenaPtr arena = make_arena(kChunk);
  for (const std::size_t bytes : {1U, 15U, 16U, 100U, 1664U}) {
    const auto address = reinterpret_cast<std::uintptr_t>(arena->allocate(bytes));
    EXPECT_EQ(address % 16, 8U) << bytes;
  }
}

TEST(ArenaTest, StaysWithinItsLimit) {
  const ArenaPtr arena = make_arena(4 * kChunk);
  std::size_t blocks = 0;
  while (arena->allocate(1000) != nullptr) ++blocks;
  EXPECT_EQ(arena->footprint(), 4 * kChunk);
  EXPECT_GE(blocks * Arena::block_bytes(1000), 4 * kChunk * 97 / 100);
  EXPECT_EQ(arena->allocate(1000), nullptr);
}

TEST(ArenaTest, FreedNeighboursMergeIntoRoomForLargerBlocks) {
  const ArenaPtr arena = make_arena(kChunk);
  std::vector<void*> small;
  while (void* memory = arena->allocate(500)) small.push_back(memory);
  EXPECT_EQ(arena->allocate(8000), nullptr);
  for (void* memory : small) arena->free(memory);
  EXPECT_NE(arena->allocate(8000), nullptr);
}

TEST(ArenaTest, LargeBlocksHaveChunksOfTheirOwnOutsideTheLimit) {
  const ArenaPtr arena = make_arena(kChunk);
  while (arena->allocate(500) != nullptr) {
  }
  void* large = arena->allocate(3 * kChunk);
  ASSERT_NE(large, nullptr);
  EXPECT_LE(arena->footprint(), 4 * kChunk + 256);
  EXPECT_EQ(arena->allocate(500), nullptr);
  arena->free(large);
  EXPECT_EQ(arena->footprint(), kChunk);
}

TEST(ArenaTest, ReusesFreedPlacesOfOneSizeExactly) {
  const ArenaPtr arena = make_arena(kChunk);
  std::vector<void*> blocks;
  while (void* memory = arena->allocate(1600)) blocks.push_back(memory);
  for (int round = 0; round < 1000; ++round) {
    arena->free(blocks[static_cast<std::size_t>(round) % blocks.size()]);
    ASSERT_NE(blocks[static_cast<std::size_t>(round) % blocks.size()] = arena->allocate(1600),
              nullptr);
  }
  EXPECT_EQ(arena->footprint(), kChunk);
}

TEST(ArenaTest, ReturnsEmptyChunksButOne) {
  const ArenaPtr arena = make_arena(8 * kChunk);
  std::vector<void*> blocks;
  while (void* memory = arena->allocate(2000)) blocks.push_back(memory);
  for (void* memory : blocks) arena->free(memory);
  const void* large = arena->allocate(7 * kChunk);  // needs the room of what was kept
  EXPECT_NE(large, nullptr);
  EXPECT_LE(arena->footprint(), 8 * kChunk + 64);
}

TEST(ArenaTest, DeferredFreesFromOtherThreadsComeBack) {
  const ArenaPtr arena = make_arena(kChunk);
  std::vector<void*> blocks;
  while (void* memory = arena->allocate(1000)) blocks.push_back(memory);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < blocks.size(); i += 4) arena->defer_free(blocks[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::size_t again = 0;
  while (arena->allocate(1000) != nullptr) ++again;
  EXPECT_EQ(again, blocks.size());
}

TEST(ArenaTest, LivesUntilTheLastReference) {
  auto* arena = new Arena(kChunk);
  arena->set_limit(kChunk);
  auto* text = static_cast<char*>(arena->allocate(16));
  std::strcpy(text, "still here");
  arena->retain();
  arena->release();
  EXPECT_STREQ(text, "still here");
  arena->release();
}

// Random sizes against a model: blocks never overlap, contents stay, memory is found again.
TEST(ArenaTest, RandomChurnKeepsContentsAndBoundsFragmentation) {
  constexpr std::size_t kLimit = 64 * kChunk;
  const ArenaPtr arena = make_arena(kLimit);
  std::mt19937_64 random(7);
  std::vector<std::pair<unsigned char*, std::size_t>> live;
  std::size_t live_bytes = 0;
  const auto drop_random = [&] {
    std::swap(live[random() % live.size()], live.back());
    const auto [memory, bytes] = live.back();
    for (std::size_t i = 0; i < bytes; i += 97) ASSERT_EQ(memory[i], bytes % 251);
    live_bytes -= Arena::block_bytes(bytes);
    arena->free(memory);
    live.pop_back();
  };
  for (int step = 0; step < 60000; ++step) {
    const std::size_t bytes = 50 + random() % 8000;
    auto* memory = static_cast<unsigned char*>(arena->allocate(bytes));
    while (memory == nullptr) {
      ASSERT_FALSE(live.empty());
      drop_random();
      memory = static_cast<unsigned char*>(arena->allocate(bytes));
    }
    std::memset(memory, static_cast<int>(bytes % 251), bytes);
    live.emplace_back(memory, bytes);
    live_bytes += Arena::block_bytes(bytes);
    ASSERT_LE(arena->footprint(), kLimit);
  }
  EXPECT_GT(live_bytes, kLimit * 80 / 100);
}

}  // namespace
}  // namespace vcache::l1::store
