#include <gtest/gtest.h>

#include <string>

#include "l1/l1_cache.hpp"

namespace vcache::l1 {
namespace {

using std::chrono::seconds;

class GraceTest : public ::testing::Test {
 protected:
  void insert(std::string_view key, base::Nanos lifetime) {
    cache_.insert(key, {.payload = std::as_bytes(std::span(payload_))}, lifetime);
  }

  const std::string payload_ = std::string(100, 'p');
  base::ManualClock clock_{seconds(1000)};
  metrics::GroupTable groups_;
  L1Cache cache_{L1Options{.bytes = 1 << 20, .seed = 5, .grace = seconds(60)}, clock_, groups_};
};

TEST_F(GraceTest, AnExpiredEntryIsKeptForThoseWhoAskForIt) {
  insert("a", seconds(10));
  clock_.advance(seconds(10));
  EXPECT_FALSE(cache_.find("a"));
  EXPECT_FALSE(cache_.peek("a"));
  EXPECT_TRUE(cache_.peek_stale("a"));
  clock_.advance(seconds(59));
  EXPECT_FALSE(cache_.find("a")) << "which does not remove it";
  EXPECT_TRUE(cache_.peek_stale("a"));
  EXPECT_EQ(cache_.stats().entries, 1U);
  EXPECT_EQ(cache_.stats().hits, 0U);
  clock_.advance(seconds(1));
  EXPECT_FALSE(cache_.peek_stale("a"));
  EXPECT_FALSE(cache_.find("a"));
  EXPECT_EQ(cache_.stats().entries, 0U);
  EXPECT_EQ(cache_.stats().expired, 1U);
}

TEST_F(GraceTest, AFreshEntryIsAsWell) {
  insert("a", seconds(10));
  insert("b", kNoExpiry);
  EXPECT_TRUE(cache_.peek_stale("a"));
  EXPECT_TRUE(cache_.peek_stale("b"));
  EXPECT_FALSE(cache_.peek_stale("c"));
}

TEST_F(GraceTest, EraseTakesItAndSaysThatItWasNotThere) {
  insert("a", seconds(10));
  clock_.advance(seconds(10));
  EXPECT_FALSE(cache_.erase("a"));
  EXPECT_FALSE(cache_.peek_stale("a"));
}

TEST_F(GraceTest, TouchDoesNotBringItBack) {
  insert("a", seconds(10));
  clock_.advance(seconds(10));
  EXPECT_FALSE(cache_.touch("a", seconds(100)));
  EXPECT_FALSE(cache_.find("a"));
}

TEST_F(GraceTest, InsertReplacesIt) {
  insert("a", seconds(10));
  clock_.advance(seconds(10));
  insert("a", seconds(10));
  EXPECT_TRUE(cache_.find("a"));
  EXPECT_EQ(cache_.stats().entries, 1U);
}

TEST_F(GraceTest, TheSweepTakesWhatIsPastItsGrace) {
  for (int i = 0; i < 64; ++i) insert("old" + std::to_string(i), seconds(10));
  clock_.advance(seconds(69));
  for (int i = 0; i < 200; ++i) insert("new" + std::to_string(i), seconds(100));
  EXPECT_EQ(cache_.stats().entries, 264U);
  clock_.advance(seconds(1));
  for (int i = 0; i < 600; ++i) insert("new" + std::to_string(i % 200), seconds(100));
  EXPECT_EQ(cache_.stats().entries, 200U);
}

}  // namespace
}  // namespace vcache::l1
