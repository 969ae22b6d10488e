#include "l1/hottest.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "l1/entry.hpp"
#include "l1/l1_cache.hpp"
#include "support/float_vector.hpp"

namespace vcache::l1 {
namespace {

using testing::Vector;

std::vector<std::pair<std::string, std::uint32_t>> told(Hottest&& hottest) {
  std::vector<std::pair<std::string, std::uint32_t>> out;
  for (const HotKey& each : std::move(hottest).take()) out.emplace_back(each.key, each.hits);
  return out;
}

void offer(Hottest& hottest, std::string_view key, std::uint32_t hits) {
  if (hottest.takes(hits)) hottest.add(key, hits);
}

TEST(HottestTest, KeepsTheMostHits) {
  Hottest hottest(2);
  for (std::uint32_t hits : {3U, 9U, 0U, 1U, 7U, 2U}) {
    offer(hottest, "k" + std::to_string(hits), hits);
  }
  const std::vector<std::pair<std::string, std::uint32_t>> expected{{"k9", 9}, {"k7", 7}};
  EXPECT_EQ(told(std::move(hottest)), expected);
}

TEST(HottestTest, AKeyThatWasOfferedTwiceIsThereOnce) {
  Hottest hottest(5);
  offer(hottest, "a", 2);
  offer(hottest, "b", 3);
  offer(hottest, "a", 4);
  const std::vector<std::pair<std::string, std::uint32_t>> expected{{"a", 4}, {"b", 3}};
  EXPECT_EQ(told(std::move(hottest)), expected);
}

TEST(HottestTest, OfNoneAndOfColdKeysThereIsNothing) {
  Hottest none(0);
  EXPECT_FALSE(none.takes(5));
  Hottest cold(5);
  EXPECT_FALSE(cold.takes(0));
  EXPECT_TRUE(told(std::move(cold)).empty());
}

// Pins are settled each 255 of them, which must neither free an entry nor lose a hit.
TEST(HotKeysTest, ManyViewsAndHitsOfOneEntry) {
  const base::ManualClock clock{std::chrono::seconds(1000)};
  metrics::GroupTable groups;
  L1Cache cache({.bytes = 1 << 20, .seed = 5}, clock, groups);
  cache.insert("k", Vector(8, 1).view(), kNoExpiry);
  std::vector<EntryRef> held;
  for (int i = 0; i < 1000; ++i) held.push_back(cache.find("k"));
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(cache.peek("k"));
  const std::vector<HotKey> hottest = cache.hot_keys(5);
  ASSERT_EQ(hottest.size(), 1U);
  EXPECT_EQ(hottest[0].hits, 1000U);
  cache.insert("k", Vector(8, 2).view(), kNoExpiry);
  EXPECT_EQ(testing::first_of(held[0]), 1);
  EXPECT_GT(cache.stats().pinned_bytes, 0U);
  held.clear();
  EXPECT_EQ(cache.stats().pinned_bytes, 0U);
  EXPECT_EQ(cache.hot_keys(5)[0].hits, 1000U);
}

TEST(HotKeysTest, HitsDoNotWrap) {
  const base::ManualClock clock{std::chrono::seconds(1000)};
  metrics::GroupTable groups;
  L1Cache cache({.bytes = 1 << 20, .seed = 5}, clock, groups);
  cache.insert("k", Vector(8, 1).view(), kNoExpiry);
  Entry* entry = cache.find("k").release();
  entry->hits = Entry::kMostHits - 10;
  EntryRef::drop(entry);
  for (int i = 0; i < 5000; ++i) (void)cache.find("k");
  EXPECT_EQ(cache.hot_keys(1)[0].hits, Entry::kMostHits);
}

}  // namespace
}  // namespace vcache::l1
