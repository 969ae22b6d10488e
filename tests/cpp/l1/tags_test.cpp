#include "base/tags.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "l1/detached.hpp"
#include "l1/l1_cache.hpp"
#include "support/fake_clock.hpp"
#include "support/float_vector.hpp"

namespace vcache::l1 {
namespace {

using testing::Vector;
using Tags = std::vector<std::string_view>;

class L1TagsTest : public ::testing::Test {
 protected:
  // Inserts a value with these tags whose making began at `made`.
  void put(std::string_view key, const Tags& tags, const base::Moment& made) {
    const std::string encoded = base::encode_tags(tags);
    base::ValueView value = vector_.view();
    value.tags = std::as_bytes(std::span(encoded));
    ASSERT_TRUE(cache_.insert(key, value, kNoExpiry, made));
  }
  void put(std::string_view key, const Tags& tags) {
    put(key, tags, {.here = cache_.tags().now()});
  }
  void invalidate(std::string_view tag) { cache_.tags().invalidate({&tag, 1}); }

  testing::FakeClock clock_;
  metrics::GroupTable groups_;
  L1Cache cache_{{.bytes = 1 << 20, .grace = std::chrono::hours(1)}, clock_, groups_};
  const Vector vector_{8, 1};
};

TEST_F(L1TagsTest, AnInvalidationEndsTheEntriesWithTheTagAndNoOthers) {
  put("a", {"red", "blue"});
  put("b", {"blue"});
  put("c", {});
  invalidate("red");
  EXPECT_FALSE(cache_.find("a"));
  EXPECT_FALSE(cache_.peek("a"));
  EXPECT_FALSE(cache_.peek_stale("a")) << "what was invalidated never stands in";
  EXPECT_TRUE(cache_.find("b"));
  EXPECT_TRUE(cache_.find("c"));
  EXPECT_EQ(cache_.stats().entries, 2U) << "looking it up dropped it";
  invalidate("blue");
  EXPECT_FALSE(cache_.touch("b", kNoExpiry));
  EXPECT_FALSE(cache_.erase("b"));
  EXPECT_TRUE(cache_.find("c"));
}

TEST_F(L1TagsTest, WhatIsMadeAfterAnInvalidationIsCurrent) {
  const std::uint64_t before = cache_.tags().now();
  invalidate("red");
  put("begun before", {"red"}, {.here = before});
  put("begun after", {"red"});
  EXPECT_FALSE(cache_.find("begun before"));
  EXPECT_TRUE(cache_.find("begun after"));
}

TEST_F(L1TagsTest, AStampThatIsNotNewerEndsNothing) {
  put("k", {"red"}, {.here = 0, .shared = 5});
  cache_.tags().learn({.tag = "red", .stamp = 5});
  EXPECT_TRUE(cache_.find("k"));
  cache_.tags().learn({.tag = "blue", .stamp = 9});
  EXPECT_TRUE(cache_.find("k"));
  cache_.tags().learn({.tag = "red", .stamp = 6});
  EXPECT_FALSE(cache_.find("k"));
  put("k", {"red"}, {.here = 0, .shared = 6});
  cache_.tags().learn({.tag = "red", .stamp = 5});
  EXPECT_TRUE(cache_.find("k")) << "news may come out of order";
}

TEST_F(L1TagsTest, ATagThatIsGoneEndsAllThatHasIt) {
  put("k", {"red"}, {.here = cache_.tags().now(), .shared = 100});
  cache_.tags().learn({.tag = "red", .stamp = 0});
  EXPECT_FALSE(cache_.find("k"));
}

TEST_F(L1TagsTest, BatchesJudgeTagsToo) {
  put("a", {"red"});
  put("b", {"blue"});
  invalidate("red");
  const std::array<std::string_view, 2> keys{"a", "b"};
  std::array<EntryRef, 2> found;
  cache_.find_many(keys, found);
  EXPECT_FALSE(found[0]);
  EXPECT_TRUE(found[1]);
}

TEST_F(L1TagsTest, TagsLeaveTheRestOfAnEntryAsItIs) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < base::kMaxTags; ++i) names.push_back("tag" + std::to_string(i));
  const std::string encoded = base::encode_tags(Tags(names.begin(), names.end()));
  const std::string metadata = "\x81\xa1m\x01";
  base::ValueView value = vector_.view();
  value.tags = std::as_bytes(std::span(encoded));
  value.metadata = std::as_bytes(std::span(metadata));
  value.cost = 2;
  for (const std::size_t key_size : {1U, 2U, 3U, 100U}) {
    const std::string key(key_size, 'k');
    const EntryRef entry = cache_.insert_pinned(key, value, kNoExpiry);
    ASSERT_TRUE(entry);
    const base::ValueView view = entry->view();
    EXPECT_TRUE(std::ranges::equal(view.payload, value.payload));
    EXPECT_TRUE(std::ranges::equal(view.metadata, value.metadata));
    EXPECT_EQ(view.cost, 2);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.payload.data()) % 16, 0U);
    const EntryRef detached = make_detached(key, value, {});
    EXPECT_TRUE(std::ranges::equal(detached->view().payload, value.payload));
  }
  invalidate("tag63");
  EXPECT_FALSE(cache_.find("k"));
}

TEST_F(L1TagsTest, APatternErasesTheKeysItTakes) {
  for (int i = 0; i < 300; ++i) put("user:" + std::to_string(i), {});
  put("users", {});
  put("user:ended", {"red"});
  invalidate("red");
  std::vector<std::string> erased;
  cache_.erase_matching("user:*", erased);
  EXPECT_EQ(erased.size(), 300U) << "what had ended already does not count";
  EXPECT_EQ(cache_.stats().entries, 1U);
  EXPECT_TRUE(cache_.find("users"));
}

}  // namespace
}  // namespace vcache::l1
