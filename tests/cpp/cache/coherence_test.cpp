#include "cache/coherence.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "cpp/cache/coherence_fixture.hpp"
#include "l2/redis_l2.hpp"
#include "support/fake_clock.hpp"
#include "support/poll_until.hpp"
#include "support/redis_server.hpp"

namespace vcache::cache {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::poll_until;

TEST_F(CoherenceTest, WhatOthersChangeLeavesMemory) {
  put(cache_, "a", 1);
  put(cache_, "b", 1);
  write_elsewhere("a", 2);
  EXPECT_EQ(read(cache_, "a"), 1U) << "nobody has told";
  push("a");
  EXPECT_EQ(read(cache_, "a"), 2U);
  EXPECT_EQ(get(cache_, "b").tier, Tier::kMemory);
  listener_->on_all_changed();
  EXPECT_EQ(get(cache_, "b").tier, Tier::kRedis);
}

using R08Test = CoherenceTest;

TEST_F(R08Test, AReplyThatThePushOvertookNeverEntersMemory) {
  for (std::uint64_t round = 1; round <= 100'000; ++round) {
    const std::string key = "k" + std::to_string(round % 7);
    write_elsewhere(key, 2 * round);
    push(key);
    redis_->after_fetch = [&] {
      write_elsewhere(key, 2 * round + 1);
      switch (round % 3) {
        case 0:
          push(key);
          break;
        case 1:
          listener_->on_all_changed();
          break;
        default:
          listener_->on_gap();
      }
    };
    ASSERT_EQ(read(cache_, key), 2 * round) << "the reader gets what there was when it asked";
    ASSERT_EQ(read(cache_, key), 2 * round + 1);
    ASSERT_EQ(get(cache_, key).tier, Tier::kMemory);
  }
}

TEST_F(CoherenceTest, APushForAnotherKeyDoesNotKeepAReplyOut) {
  write_elsewhere("a", 1);
  redis_->after_fetch = [&] { push("b"); };
  EXPECT_EQ(read(cache_, "a"), 1U);
  EXPECT_EQ(get(cache_, "a").tier, Tier::kMemory);
}

TEST_F(CoherenceTest, WithoutALinkMemoryServesOnlyWhereRedisDoesNot) {
  put(cache_, "a", 1);
  put(cache_, "b", 1);
  listener_->on_link_down();
  write_elsewhere("a", 2);
  EXPECT_EQ(read(cache_, "a"), 2U) << "Redis answers";
  redis_->down = true;
  const Located stale = get(cache_, "b");
  EXPECT_EQ(version_of(stale), 1U);
  EXPECT_TRUE(stale.stale);
  EXPECT_EQ(stale.tier, Tier::kMemory);
  bool found = false;
  (void)cache_.contains("b", found);
  EXPECT_TRUE(found);
  const std::array<std::string_view, 2> keys = {"b", "c"};
  std::array<Located, 2> out;
  EXPECT_FALSE(cache_.find_many(keys, out).ok()) << "nobody has c";
  EXPECT_TRUE(out[0].stale);
  out = {};
  EXPECT_TRUE(cache_.find_many(std::span(keys).first(1), std::span(out).first(1)).ok());
  const Tally total = cache_.counters().snapshot().total;
  EXPECT_EQ(total.stale_served, 3);
  EXPECT_EQ(total.misses, 1);
  clock_.advance(seconds(51));
  EXPECT_FALSE(get(cache_, "b").entry) << "no longer than its time in memory";
}

TEST_F(CoherenceTest, WhatEnteredMemoryBeforeTheLinkStaysUnverified) {
  put(cache_, "a", 1);
  put(cache_, "gone", 1);
  listener_->on_link_down();
  put(cache_, "between", 1);
  write_elsewhere("a", 2);
  const std::string_view gone = "gone";
  l2::Outcome outcome{};
  (void)redis_->erase({&gone, 1}, {&outcome, 1});
  listener_->on_gap();
  listener_->on_link_up();
  put(cache_, "after", 1);
  EXPECT_EQ(get(cache_, "after").tier, Tier::kMemory);
  EXPECT_EQ(get(cache_, "between").tier, Tier::kRedis);
  EXPECT_EQ(get(cache_, "between").tier, Tier::kMemory);
  EXPECT_EQ(read(cache_, "a"), 2U);
  EXPECT_FALSE(get(cache_, "gone").entry);
  redis_->down = true;
  EXPECT_FALSE(get(cache_, "gone").entry) << "Redis has said that it is gone";
}

TEST_F(CoherenceTest, WhereNothingIsToldMemoryForgetsSoon) {
  put(cache_, "a", 1);
  listener_->on_no_link();
  put(cache_, "b", 1);
  EXPECT_TRUE(cache_.coherence().take_notice());
  EXPECT_FALSE(cache_.coherence().take_notice());
  EXPECT_EQ(get(cache_, "a").tier, Tier::kMemory);
  clock_.advance(Coherence::kUntold);
  EXPECT_EQ(get(cache_, "a").tier, Tier::kRedis);
  EXPECT_EQ(get(cache_, "b").tier, Tier::kRedis);
  listener_->on_gap();
  listener_->on_link_down();
  listener_->on_link_up();
  put(cache_, "c", 1);
  clock_.advance(Coherence::kUntold + seconds(1));
  EXPECT_EQ(get(cache_, "c").tier, Tier::kMemory);
}

// Two caches over one server, as two processes have them.
class TwoCachesTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<TieredCache> make() const {
    return std::make_unique<TieredCache>(
        cache_options(),
        [this](l2::Listener& listener) {
          return l2::make_redis_l2({.port = server_.port(),
                                    .timeout = milliseconds(2000),
                                    .connect_timeout = milliseconds(1000),
                                    .namespace_name = "ns"},
                                   base::system_clock(), listener);
        },
        true, base::system_clock());
  }
  // A cache whose link is up.
  [[nodiscard]] std::unique_ptr<TieredCache> linked() const {
    auto cache = make();
    (void)read(*cache, "first call");
    EXPECT_TRUE(poll_until([&] { return coherence(*cache) == "tracking"; }));
    return cache;
  }
  static std::string coherence(TieredCache& cache) { return cache.redis().status(false).coherence; }
  static bool comes_to(TieredCache& cache, std::string_view key, std::uint64_t version) {
    return poll_until([&] { return read(cache, key) == version; });
  }

  testing::RedisServer server_;
};

TEST_F(TwoCachesTest, SeeEachOthersWritesDeletesTouchesAndClears) {
  const auto ours = linked();
  const auto theirs = linked();
  put(*ours, "k", 1);
  EXPECT_EQ(read(*theirs, "k"), 1U);
  put(*theirs, "k", 2);
  EXPECT_EQ(read(*theirs, "k"), 2U) << "own writes are visible at once";
  EXPECT_TRUE(comes_to(*ours, "k", 2));
  std::size_t erased = 0;
  const std::string_view key = "k";
  (void)ours->erase({&key, 1}, erased);
  EXPECT_TRUE(comes_to(*theirs, "k", 0));
  put(*ours, "k", 3);
  EXPECT_TRUE(comes_to(*theirs, "k", 3));
  bool found = false;
  (void)theirs->touch("k", {.ttl = milliseconds(100), .memory_ttl = milliseconds(100)}, found);
  EXPECT_TRUE(found);
  EXPECT_TRUE(comes_to(*ours, "k", 0)) << "it ended for everyone";
  put(*ours, "k", 4);
  EXPECT_TRUE(comes_to(*theirs, "k", 4));
  (void)theirs->clear();
  EXPECT_TRUE(comes_to(*ours, "k", 0));
  put(*ours, "k", 5);
  EXPECT_TRUE(comes_to(*theirs, "k", 5));
  (void)server_.call({"FLUSHALL"});
  EXPECT_TRUE(comes_to(*ours, "k", 0));
  EXPECT_TRUE(comes_to(*theirs, "k", 0));
}

TEST_F(TwoCachesTest, OwnWritesStayInMemory) {
  const auto cache = make();
  for (std::uint64_t i = 0; i < 500; ++i) put(*cache, "k" + std::to_string(i), i);
  EXPECT_TRUE(poll_until([&] { return coherence(*cache) == "tracking"; }));
  const auto other = linked();
  put(*cache, "last", 1);
  EXPECT_TRUE(comes_to(*other, "last", 1));
  put(*other, "last", 2);
  EXPECT_TRUE(comes_to(*cache, "last", 2)) << "all that was pushed before was heard";
  int in_memory = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    in_memory += get(*cache, "k" + std::to_string(i)).tier == Tier::kMemory ? 1 : 0;
  }
  EXPECT_GE(in_memory, 495) << "but for what the bounded table of own writes forgot";
}

using R08TwoCachesTest = TwoCachesTest;

TEST_F(R08TwoCachesTest, AStaleReplyNeverStaysInMemory) {
// Sanitizers make a round many times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr std::uint64_t kRounds = 5'000;
#else
  constexpr std::uint64_t kRounds = 100'000;
#endif
  const auto ours = linked();
  const auto theirs = linked();
  std::jthread reader([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) (void)read(*ours, "k");
  });
  for (std::uint64_t version = 1; version <= kRounds; ++version) {
    put(*theirs, "k", version);
    ASSERT_TRUE(comes_to(*ours, "k", version)) << version;
    ASSERT_EQ(read(*ours, "k"), version);
  }
}

TEST_F(TwoCachesTest, TheLastOfTwoWritersIsSeenByBoth) {
  const auto ours = linked();
  const auto theirs = linked();
  for (std::uint64_t round = 1; round <= 300; ++round) {
    const std::string key = "k" + std::to_string(round);
    std::jthread other([&] { put(*theirs, key, 2 * round); });
    put(*ours, key, 2 * round + 1);
    other.join();
    const auto third = [&] {
      Located located;
      (void)theirs->find_redis(key, located);
      return version_of(located);
    }();
    ASSERT_TRUE(comes_to(*ours, key, third)) << round;
    ASSERT_TRUE(comes_to(*theirs, key, third)) << round;
  }
}

TEST_F(TwoCachesTest, NothingChangedInAGapLooksFresh) {
  const auto ours = linked();
  const auto theirs = linked();
  for (std::uint64_t round = 1; round <= 20; ++round) {
    put(*ours, "k", 2 * round);
    ASSERT_TRUE(comes_to(*theirs, "k", 2 * round));
    (void)server_.call({"CLIENT", "KILL", "TYPE", "normal"});
    put(*theirs, "k", 2 * round + 1);
    ASSERT_TRUE(comes_to(*ours, "k", 2 * round + 1)) << round;
  }
}

TEST_F(TwoCachesTest, ARestartOfTheServerIsAGap) {
  const auto ours = linked();
  put(*ours, "k", 1);
  server_.kill();
  ASSERT_TRUE(poll_until([&] { return get(*ours, "k").stale; }));
  EXPECT_EQ(read(*ours, "k"), 1U);
  ASSERT_TRUE(poll_until([&] { return get(*ours, "k").stale && ours->redis().is_silent(); }));
  server_.start();
  EXPECT_TRUE(comes_to(*ours, "k", 0)) << "it was kept in memory only";
}

}  // namespace
}  // namespace vcache::cache
