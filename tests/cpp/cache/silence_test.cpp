#include <gtest/gtest.h>

#include <array>
#include <string_view>

#include "cpp/cache/coherence_fixture.hpp"
#include "support/float_vector.hpp"

namespace vcache::cache {
namespace {

using std::chrono::seconds;

// Memory while Redis is known to give no answer.
class SilenceTest : public CoherenceTest {
 protected:
  void fall_silent() {
    redis_->down = true;
    redis_->silent = true;
  }
};

TEST_F(SilenceTest, WhileRedisIsSilentMemoryServesWithoutAskingIt) {
  put(cache_, "a", 1);
  put(cache_, "b", 1);
  (void)cache_.put("vector", testing::Vector(2, 7).view(), kLifetimes);
  listener_->on_link_down();
  fall_silent();
  const Located stale = get(cache_, "a");
  EXPECT_EQ(version_of(stale), 1U);
  EXPECT_TRUE(stale.stale);
  EXPECT_EQ(stale.tier, Tier::kMemory);
  put(cache_, "a", 2);
  EXPECT_EQ(read(cache_, "a"), 2U) << "what was written meanwhile is newer";
  const std::array<std::string_view, 2> keys = {"a", "b"};
  std::array<Located, 2> out;
  EXPECT_TRUE(cache_.find_many(keys, out).ok());
  EXPECT_EQ(version_of(out[0]), 2U);
  EXPECT_TRUE(out[0].stale && out[1].stale);
  std::array<float, 2> row{};
  bool found = false;
  Tier slowest = Tier::kNone;
  const VectorRows rows{.dtype = base::DType::kFloat32,
                        .width = 2,
                        .data = reinterpret_cast<std::byte*>(row.data()),
                        .found = &found};
  const std::string_view vector = "vector";
  EXPECT_TRUE(cache_.get_vectors({&vector, 1}, rows, slowest).ok());
  EXPECT_TRUE(found);
  EXPECT_EQ(row[1], 7);
  EXPECT_EQ(slowest, Tier::kMemory);
  EXPECT_EQ(redis_->fetches, 0);
  const l1::ShardStats counted = cache_.memory().stats();
  EXPECT_EQ(counted.hits, 5U);
  EXPECT_EQ(counted.stale, 5U);
  EXPECT_EQ(cache_.counters().snapshot().total.misses, 0);
}

TEST_F(SilenceTest, WhatIsFreshIsNeverServedBySilence) {
  put(cache_, "a", 1);
  listener_->on_link_down();
  fall_silent();
  const std::string_view key = "a";
  Located located;
  (void)cache_.find_many({&key, 1}, {&located, 1}, Stale::kNever);
  EXPECT_FALSE(located.entry);
  EXPECT_EQ(redis_->fetches, 1);
  EXPECT_FALSE(cache_.find_memory(key));
}

TEST_F(SilenceTest, AnAnswerEndsWhatSilenceAllows) {
  put(cache_, "a", 1);
  put(cache_, "b", 1);
  listener_->on_link_down();
  fall_silent();
  EXPECT_EQ(read(cache_, "a"), 1U);
  write_elsewhere("a", 2);
  redis_->down = false;
  EXPECT_EQ(read(cache_, "a"), 1U) << "nobody knows yet";
  redis_->silent = false;
  const Located fresh = get(cache_, "a");
  EXPECT_EQ(version_of(fresh), 2U) << "the link is down still, and Redis is asked";
  EXPECT_FALSE(fresh.stale);
  listener_->on_gap();
  listener_->on_link_up();
  redis_->silent = true;  // a breaker may open by other things than silence
  EXPECT_FALSE(get(cache_, "b").stale) << "that is asked for once the link is up";
}

TEST_F(SilenceTest, AnAnswerDuringABatchLeavesWhatCameBeforeItMarked) {
  put(cache_, "a", 1);
  listener_->on_link_down();
  fall_silent();
  redis_->before_fetch = [this] {
    redis_->down = false;
    redis_->silent = false;
    write_elsewhere("a", 2);
    write_elsewhere("b", 2);
  };
  const std::array<std::string_view, 2> keys = {"a", "b"};
  std::array<Located, 2> out;
  EXPECT_TRUE(cache_.find_many(keys, out).ok());
  EXPECT_EQ(version_of(out[0]), 1U);
  EXPECT_TRUE(out[0].stale);
  EXPECT_EQ(version_of(out[1]), 2U);
  EXPECT_FALSE(out[1].stale);
  EXPECT_EQ(read(cache_, "a"), 2U) << "whoever got an answer gets answers from then on";
}

TEST_F(SilenceTest, WhatIsGoneFromMemoryIsNotServedBySilence) {
  for (const std::string_view key : {"erased", "ended", "cleared"}) put(cache_, key, 1);
  listener_->on_link_down();
  fall_silent();
  const std::string_view erased = "erased";
  std::size_t count = 0;
  (void)cache_.erase({&erased, 1}, count);
  EXPECT_FALSE(get(cache_, erased).entry);
  bool found = false;
  (void)cache_.touch("cleared", {.ttl = seconds(100), .memory_ttl = seconds(100)}, found);
  clock_.advance(seconds(51));
  EXPECT_FALSE(get(cache_, "ended").entry) << "no longer than its time in memory";
  EXPECT_TRUE(get(cache_, "cleared").stale) << "touched";
  (void)cache_.clear();
  EXPECT_FALSE(get(cache_, "cleared").entry);
}

}  // namespace
}  // namespace vcache::cache
