#include "base/tags.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cache/tiered_cache.hpp"
#include "support/fake_clock.hpp"
#include "support/float_vector.hpp"
#include "support/l2_calls.hpp"
#include "support/map_l2.hpp"

namespace vcache::cache {
namespace {

using testing::Tags;
using testing::Vector;

constexpr Lifetimes kLong{.ttl = std::chrono::hours(1), .memory_ttl = std::chrono::hours(1)};

class TieredTagsTest : public ::testing::Test {
 protected:
  [[nodiscard]] base::Moment begin(const Tags& tags) {
    base::Moment made;
    EXPECT_TRUE(cache_.begin(tags, kLong, made).ok());
    return made;
  }
  void put(std::string_view key, const Tags& tags, const base::Moment& made) {
    const std::string encoded = base::encode_tags(tags);
    base::ValueView value = vector_.view();
    value.tags = std::as_bytes(std::span(encoded));
    EXPECT_TRUE(cache_.put(key, value, kLong, made).ok());
  }
  void put(std::string_view key, const Tags& tags) { put(key, tags, begin(tags)); }
  void invalidate(const Tags& tags) { EXPECT_TRUE(cache_.invalidate_tags(tags).ok()); }
  // Which tier has the key for a caller.
  [[nodiscard]] Tier tier_of(std::string_view key) {
    if (cache_.find_memory(key)) return Tier::kMemory;
    Located located;
    EXPECT_TRUE(cache_.find_redis(key, located).ok());
    return located.entry ? located.tier : Tier::kNone;
  }
  [[nodiscard]] std::unique_ptr<l2::L2> hand_over() {
    auto map = std::make_unique<testing::MapL2>();
    redis_ = map.get();
    return map;
  }

  testing::FakeClock clock_;
  testing::MapL2* redis_ = nullptr;
  TieredCache cache_{
      {.name = "ns", .jitter = 0, .memory = {.bytes = 1 << 20}}, hand_over(), true, clock_};
  const Vector vector_{8, 1};
};

TEST_F(TieredTagsTest, AnInvalidationEndsBothCopies) {
  put("k", {"red"});
  put("other", {"blue"});
  EXPECT_EQ(tier_of("k"), Tier::kMemory);
  invalidate({"red"});
  EXPECT_EQ(tier_of("k"), Tier::kNone);
  EXPECT_EQ(tier_of("other"), Tier::kMemory);
}

TEST_F(TieredTagsTest, AnInvalidationDuringTheMakingEndsTheValueInBothTiers) {
  const base::Moment made = begin({"red"});
  invalidate({"red"});
  put("k", {"red"}, made);
  EXPECT_EQ(tier_of("k"), Tier::kNone);
  put("k", {"red"});
  EXPECT_EQ(tier_of("k"), Tier::kMemory);
}

// The value was read before the invalidation, and is handed over after it.
TEST_F(TieredTagsTest, AReplyThatAnInvalidationOvertookDoesNotStayInMemory) {
  put("k", {"red"});
  (void)cache_.memory().erase("k");
  redis_->after_fetch = [this] { invalidate({"red"}); };
  EXPECT_EQ(tier_of("k"), Tier::kNone);
  EXPECT_EQ(tier_of("k"), Tier::kNone) << "nor is it there for the next reader";
}

TEST_F(TieredTagsTest, AReplyThatAnotherProcessInvalidatedDoesNotStayInMemory) {
  put("k", {"red"});
  (void)cache_.memory().erase("k");
  redis_->after_fetch = [this] {
    const std::array<base::TagStamp, 1> stamps{{{.tag = "red", .stamp = 100}}};
    cache_.coherence().on_stamps(stamps);  // as the push has it told
  };
  EXPECT_EQ(tier_of("k"), Tier::kNone);
  EXPECT_FALSE(cache_.find_memory("k"));
}

// It waits for Redis while the tag is invalidated, by this process or by another.
TEST_F(TieredTagsTest, WhatWaitedForRedisIsJudgedWhenItIsRead) {
  const base::Moment made = begin({"red", "blue"});
  put("here", {"red"}, made);
  put("there", {"blue"}, made);
  cache_.memory().clear();
  redis_->hands_over_as_made_here = made.here;  // as the recovery queue does
  cache_.memory().tags().invalidate(Tags{"red"});
  cache_.memory().tags().learn({.tag = "blue", .stamp = made.shared + 1});
  EXPECT_EQ(tier_of("here"), Tier::kNone);
  EXPECT_EQ(tier_of("there"), Tier::kNone);
}

TEST_F(TieredTagsTest, WhatMemoryHasAsStaleIsNotWhatWasInvalidated) {
  put("k", {"red"});
  cache_.coherence().on_link_down();
  redis_->down = true;
  EXPECT_FALSE(cache_.invalidate_tags(Tags{"red"}).ok());
  Located located;
  (void)cache_.find_redis("k", located);
  EXPECT_FALSE(located.entry);
}

TEST_F(TieredTagsTest, APatternEndsBothCopiesAndFillsUnderWay) {
  for (const std::string_view key : {"user:1", "user:2", "users"}) put(key, {});
  (void)cache_.memory().erase("user:2");
  redis_->after_fetch = [this] {
    std::size_t erased = 0;
    EXPECT_TRUE(cache_.invalidate("user:*", erased).ok());
    EXPECT_EQ(erased, 2U) << "each once";
  };
  EXPECT_EQ(tier_of("user:2"), Tier::kRedis) << "as it was read";
  for (const std::string_view key : {"user:1", "user:2"}) EXPECT_EQ(tier_of(key), Tier::kNone);
  EXPECT_EQ(tier_of("users"), Tier::kMemory);
}

}  // namespace
}  // namespace vcache::cache
