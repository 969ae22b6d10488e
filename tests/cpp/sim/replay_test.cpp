#include "sim/replay.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace vcache::sim {
namespace {

using Ids = std::vector<std::uint64_t>;

Ids skewed(std::size_t requests, std::uint64_t keys, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Ids ids(requests);
  for (auto& id : ids) id = std::min(random() % keys, random() % keys);
  return ids;
}

Ids next_uses_of(const Ids& ids) {
  Ids next(ids.size(), kNever);
  std::unordered_map<std::uint64_t, std::size_t> seen;
  for (std::size_t i = ids.size(); i-- > 0;) {
    if (const auto found = seen.find(ids[i]); found != seen.end()) next[i] = found->second;
    seen[ids[i]] = i;
  }
  return next;
}

Totals replayed(std::string_view policy, std::uint64_t capacity, const Ids& ids) {
  const auto replay =
      make_replay({.policy = policy, .capacity = capacity, .unit = Unit::kEntries, .seed = 1});
  const Ids next = next_uses_of(ids);
  replay->run({.ids = ids, .sizes = {}, .costs = {}, .next_uses = next});
  return replay->totals();
}

TEST(Replay, IsMadeByEachName) {
  EXPECT_EQ(replay_names().size(), 10U);
  for (const std::string_view name : replay_names()) {
    const Totals totals = replayed(name, 50, skewed(20'000, 500, 1));
    EXPECT_EQ(totals.requests, 20'000U) << name;
    EXPECT_GT(totals.hits, 1'000U) << name;
    EXPECT_EQ(totals.evictions, totals.requests - totals.hits - 50) << name;
  }
  EXPECT_EQ(make_replay({.policy = "random", .capacity = 1, .unit = Unit::kEntries, .seed = 1}),
            nullptr);
}

TEST(Replay, OnlyFirstRequestsMissWhereEverythingFits) {
  for (const std::string_view name : replay_names()) {
    const Totals totals = replayed(name, 100, skewed(5'000, 100, 2));
    EXPECT_EQ(totals.requests - totals.hits, 100U) << name;
    EXPECT_EQ(totals.evictions, 0U) << name;
  }
}

TEST(Replay, StretchesCountAsTheWholeDoes) {
  const Ids ids = skewed(10'000, 400, 3);
  const Ids next = next_uses_of(ids);
  for (const std::string_view name : replay_names()) {
    const Totals whole = replayed(name, 40, ids);
    const auto parts =
        make_replay({.policy = name, .capacity = 40, .unit = Unit::kEntries, .seed = 1});
    for (std::size_t first = 0; first < ids.size();) {
      const std::size_t count = std::min(ids.size() - first, 1 + first / 3);
      parts->run({.ids = std::span(ids).subspan(first, count),
                  .sizes = {},
                  .costs = {},
                  .next_uses = std::span(next).subspan(first, count)});
      first += count;
    }
    EXPECT_EQ(parts->totals().hits, whole.hits) << name;
    EXPECT_EQ(parts->totals().requests, whole.requests) << name;
  }
}

TEST(Replay, NoPolicyMissesLessThanBelady) {
  const Ids ids = skewed(20'000, 1'000, 4);
  for (const std::uint64_t capacity : {1U, 10U, 200U}) {
    const std::uint64_t most = replayed("belady", capacity, ids).hits;
    for (const std::string_view name : replay_names()) {
      EXPECT_LE(replayed(name, capacity, ids).hits, most) << name;
    }
  }
}

TEST(Replay, BytesBoundWhatIsHeld) {
  const Ids ids = {1, 2, 1, 3, 2, 4, 4};
  const std::vector<std::uint32_t> sizes = {60, 40, 60, 50, 40, 101, 101};
  const std::vector<float> costs = {1, 2, 1, 4, 2, 8, 8};
  const auto replay =
      make_replay({.policy = "lru", .capacity = 100, .unit = Unit::kBytes, .seed = 1});
  replay->run({.ids = ids, .sizes = sizes, .costs = costs, .next_uses = {}});
  const Totals& totals = replay->totals();
  EXPECT_EQ(totals.hits, 1U);  // 1; then 3 drives out 2 and 1; 2 beside 3; 4 is too large
  EXPECT_EQ(totals.bytes_hit, 60U);
  EXPECT_EQ(totals.bytes_requested, 452U);
  EXPECT_EQ(totals.cost_saved, 1);
  EXPECT_EQ(totals.cost_requested, 26);
  EXPECT_EQ(totals.evictions, 2U);
}

TEST(Replay, EntriesCountOneEachWhateverTheirSize) {
  const Ids ids = {1, 2, 1, 2};
  const std::vector<std::uint32_t> sizes = {1'000, 2'000, 1'000, 2'000};
  const auto replay =
      make_replay({.policy = "lru", .capacity = 2, .unit = Unit::kEntries, .seed = 1});
  replay->run({.ids = ids, .sizes = sizes, .costs = {}, .next_uses = {}});
  EXPECT_EQ(replay->totals().hits, 2U);
  EXPECT_EQ(replay->totals().bytes_hit, 3'000U);
}

TEST(Replay, NothingIsHeldWithoutCapacity) {
  for (const std::string_view name : replay_names()) {
    EXPECT_EQ(replayed(name, 0, skewed(100, 5, 5)).hits, 0U) << name;
  }
}

}  // namespace
}  // namespace vcache::sim
