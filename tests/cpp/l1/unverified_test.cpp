#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "l1/l1_cache.hpp"
#include "support/float_vector.hpp"

namespace vcache::l1 {
namespace {

using std::chrono::seconds;
using testing::first_of;
using testing::Vector;

class UnverifiedTest : public ::testing::Test {
 protected:
  L1Cache make(std::size_t bytes) {
    return {L1Options{.bytes = bytes, .seed = 5}, clock_, groups_};
  }

  base::ManualClock clock_{seconds(1000)};
  metrics::GroupTable groups_;
};

// Open or closed, as it was made.
class FixedGate final : public Gate {
 public:
  explicit FixedGate(bool open) noexcept : open_(open) {}
  [[nodiscard]] bool is_open() const noexcept override { return open_; }

 private:
  const bool open_;
};

TEST_F(UnverifiedTest, DistrustedEntriesAreMissesThatCanStillBeAskedFor) {
  L1Cache cache = make(1 << 20);
  cache.insert("a", Vector(8, 1).view(), seconds(10));
  cache.insert("for ever", Vector(8, 2).view(), kNoExpiry);
  cache.distrust();
  cache.insert("b", Vector(8, 3).view(), seconds(10));
  for (const std::string_view key : {"a", "b", "for ever"}) {
    EXPECT_FALSE(cache.find(key)) << key;
    EXPECT_FALSE(cache.peek(key)) << key;
    EXPECT_TRUE(cache.peek_stale(key)) << key;
  }
  const std::array<std::string_view, 2> keys = {"a", "b"};
  std::array<EntryRef, 2> found;
  cache.find_many(keys, found);
  EXPECT_FALSE(found[0] || found[1]);
  clock_.advance(seconds(11));
  EXPECT_FALSE(cache.peek_stale("a")) << "its time ran on";
  EXPECT_TRUE(cache.peek_stale("for ever"));
}

TEST_F(UnverifiedTest, AreFoundAndCountedWhereThatIsAskedFor) {
  L1Cache cache = make(1 << 20);
  EXPECT_FALSE(cache.in_doubt());
  cache.insert("a", Vector(8, 1).view(), seconds(10));
  cache.distrust();
  cache.insert("b", Vector(8, 2).view(), seconds(10));
  EXPECT_TRUE(cache.in_doubt());
  EXPECT_EQ(first_of(cache.find_unverified("a")), 1);
  EXPECT_FALSE(cache.find_unverified("none"));
  const std::array<std::string_view, 3> keys = {"b", "none", "a"};
  std::array<EntryRef, 3> found;
  cache.find_many_unverified(keys, found);
  EXPECT_EQ(first_of(found[0]), 2);
  EXPECT_FALSE(found[1]);
  EXPECT_EQ(first_of(found[2]), 1);
  ShardStats stats = cache.stats();
  EXPECT_EQ(stats.hits, 3U);
  EXPECT_EQ(stats.stale, 3U);
  cache.trust();
  EXPECT_FALSE(cache.in_doubt());
  EXPECT_EQ(first_of(cache.find_unverified("a")), 1) << "unverified, each by itself";
  cache.insert("a", Vector(8, 3).view(), seconds(10));
  EXPECT_EQ(first_of(cache.find("a")), 3);
  stats = cache.stats();
  EXPECT_EQ(stats.hits, 5U);
  EXPECT_EQ(stats.stale, 4U);
}

TEST_F(UnverifiedTest, AreNotFoundPastTheirEnd) {
  L1Cache cache(L1Options{.bytes = 1 << 20, .seed = 5, .grace = seconds(20)}, clock_, groups_);
  cache.insert("in doubt", Vector(8, 1).view(), seconds(10));
  cache.distrust();
  cache.trust();
  cache.insert("a", Vector(8, 1).view(), seconds(10));
  cache.distrust();
  const std::array<std::string_view, 2> keys = {"a", "in doubt"};
  clock_.advance(seconds(10) - std::chrono::nanoseconds(1));
  for (const std::string_view key : keys) EXPECT_TRUE(cache.find_unverified(key)) << key;
  clock_.advance(std::chrono::nanoseconds(1));
  std::array<EntryRef, 2> found;
  cache.find_many_unverified(keys, found);
  EXPECT_FALSE(found[0] || found[1]);
  for (const std::string_view key : keys) {
    EXPECT_FALSE(cache.find_unverified(key)) << key;
    EXPECT_TRUE(cache.peek_stale(key)) << key << ": its grace is not over";
  }
  EXPECT_EQ(cache.stats().expired, 0U);
}

TEST_F(UnverifiedTest, OnlyWhatComesAfterTrustIsVerified) {
  L1Cache cache = make(1 << 20);
  for (int i = 0; i < 500; ++i) {
    cache.insert("old:" + std::to_string(i), Vector(2, 1).view(), seconds(10));
  }
  cache.distrust();
  cache.insert("between", Vector(2, 2).view(), seconds(10));
  cache.trust();
  cache.insert("new", Vector(2, 3).view(), seconds(10));
  EXPECT_TRUE(cache.find("new"));
  EXPECT_FALSE(cache.find("between"));
  EXPECT_EQ(first_of(cache.peek_stale("between")), 2);
  for (int i = 0; i < 500; ++i) {
    ASSERT_FALSE(cache.find("old:" + std::to_string(i)));
    ASSERT_TRUE(cache.peek_stale("old:" + std::to_string(i)));
  }
  cache.insert("old:1", Vector(2, 4).view(), seconds(10));
  EXPECT_EQ(first_of(cache.find("old:1")), 4) << "replaced by one that is verified";
  EXPECT_FALSE(cache.touch("old:2", seconds(100)));
  EXPECT_FALSE(cache.erase("old:2"));
  EXPECT_FALSE(cache.peek_stale("old:2")) << "gone nevertheless";
}

TEST_F(UnverifiedTest, EndWhenTheyAreTouchedToEnd) {
  L1Cache cache = make(1 << 20);
  cache.insert("by itself", Vector(8, 1).view(), seconds(10));
  cache.distrust();
  cache.trust();
  cache.distrust();
  cache.insert("with all", Vector(8, 1).view(), seconds(10));
  EXPECT_FALSE(cache.touch("by itself", seconds(5)));
  (void)cache.touch("with all", seconds(5));
  clock_.advance(seconds(5) - std::chrono::nanoseconds(1));
  EXPECT_TRUE(cache.find_unverified("by itself"));
  EXPECT_TRUE(cache.find_unverified("with all"));
  clock_.advance(std::chrono::nanoseconds(1));
  EXPECT_FALSE(cache.find_unverified("by itself"));
  EXPECT_FALSE(cache.find_unverified("with all"));
}

TEST_F(UnverifiedTest, DropsTheUnverifiedOnlyAndOnlyThroughAnOpenGate) {
  L1Cache cache = make(1 << 20);
  const FixedGate open(true);
  const FixedGate closed(false);
  cache.insert("a", Vector(8, 1).view(), seconds(10));
  cache.distrust();
  cache.trust();
  cache.insert("b", Vector(8, 2).view(), seconds(10));
  cache.drop_unverified("a", closed);
  EXPECT_TRUE(cache.peek_stale("a"));
  cache.drop_unverified("a", open);
  EXPECT_FALSE(cache.peek_stale("a"));
  cache.drop_unverified("b", open);
  EXPECT_TRUE(cache.find("b"));
}

TEST_F(UnverifiedTest, LimitsLifetimesOfWhatIsThereAndOfWhatComes) {
  L1Cache cache = make(1 << 20);
  cache.insert("old", Vector(8, 1).view(), kNoExpiry);
  cache.insert("short", Vector(8, 1).view(), seconds(1));
  cache.limit_lifetimes(seconds(5));
  cache.insert("new", Vector(8, 1).view(), seconds(300));
  clock_.advance(seconds(2));
  EXPECT_FALSE(cache.find("short"));
  EXPECT_TRUE(cache.touch("new", seconds(300)));
  clock_.advance(seconds(3));
  EXPECT_FALSE(cache.find("old"));
  EXPECT_TRUE(cache.find("new"));
  clock_.advance(seconds(3));
  EXPECT_FALSE(cache.find("new"));
}

}  // namespace
}  // namespace vcache::l1
