#include "l2/silence.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

#include "cpp/l2/redis_fixture.hpp"
#include "support/in_child.hpp"
#include "support/poll_until.hpp"

namespace vcache::l2 {
namespace {

using std::chrono::seconds;
using testing::fetch;
using testing::holds_in_child;
using testing::poll_until;
using testing::store;

using Verdict = Breaker::Verdict;

TEST(SilenceTest, IsOverBeforeAnybodyHearsOfIt) {
  testing::FakeClock clock;
  Silence silence;
  int closings = 0;
  Breaker breaker(clock, {}, 1, [&](Breaker::State state, Verdict) {
    if (state == Breaker::State::kOpen) return breaker.leave_probes_to_others();
    ++closings;
    EXPECT_FALSE(silence.holds());
  });
  EXPECT_FALSE(silence.holds()) << "of nobody";
  silence.follow(&breaker);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_FALSE(silence.holds());
      breaker.allow().report(Verdict::kBad);
    }
    EXPECT_TRUE(silence.holds());
    clock.advance(seconds(1));
    Breaker::Permit probe = breaker.allow_probe();
    EXPECT_TRUE(silence.holds()) << "it was asked, and has not answered";
    probe.report(Verdict::kGood);
    EXPECT_EQ(closings, round + 1);
  }
}

TEST(SilenceTest, IsOverBeforeTheNextCallIsLetThrough) {
  testing::FakeClock clock;
  Breaker breaker(clock, {}, 1);
  breaker.leave_probes_to_others();
  Silence silence;
  silence.follow(&breaker);
  for (int round = 0; round < 500; ++round) {
    for (int i = 0; i < 5; ++i) breaker.allow().report(Verdict::kBad);
    ASSERT_TRUE(silence.holds());
    clock.advance(seconds(1));
    const std::jthread prober([&] { breaker.allow_probe().report(Verdict::kGood); });
    Breaker::Permit permit;
    while (!permit) {
      std::this_thread::yield();
      permit = breaker.allow();
    }
    ASSERT_FALSE(silence.holds()) << round;
    permit.report(Verdict::kGood);
  }
}

bool is_answered(L2& tier) {
  const Outcome outcome = fetch(tier, "k").outcome;
  return outcome == Outcome::kHit || outcome == Outcome::kMiss;
}

class RedisSilenceTest : public RedisFixture {
 protected:
  static bool falls_silent(L2& tier) {
    return poll_until([&] {
      (void)fetch(tier, "k");
      return tier.is_silent();
    });
  }
};

TEST_F(RedisSilenceTest, LastsFromTheOpeningOfTheBreakerToTheFirstAnswer) {
  const auto tier = connect();
  store(*tier, "k", "x");
  for (int round = 0; round < 5; ++round) {
    EXPECT_FALSE(tier->is_silent());
    server_.kill();
    for (int i = 0; i < 4; ++i) {
      EXPECT_FALSE(is_answered(*tier));
      EXPECT_FALSE(tier->is_silent()) << "it may be a hiccup";
    }
    ASSERT_TRUE(falls_silent(*tier));
    server_.start();
    clock_.advance(seconds(1));
    ASSERT_TRUE(poll_until([&] { return is_answered(*tier); }));
    ASSERT_FALSE(tier->is_silent()) << "it has answered";
  }
}

TEST_F(RedisSilenceTest, IsNotInheritedByAChild) {
  const auto tier = connect();
  server_.kill();
  ASSERT_TRUE(falls_silent(*tier));
  EXPECT_TRUE(holds_in_child([&] { return !tier->is_silent(); })) << "nobody asks the server there";
  EXPECT_TRUE(tier->is_silent());
  if (!testing::kThreadsInChildren) return;
  EXPECT_TRUE(holds_in_child([&] { return falls_silent(*tier); })) << "the child's own breaker";
  server_.start();
  EXPECT_TRUE(holds_in_child([&] { return is_answered(*tier) && !tier->is_silent(); }));
}

TEST_F(RedisSilenceTest, IsNotSaidOfSeveralServers) {
  RedisOptions with = options();
  with.layout = Layout::kShards;
  with.shards = {2, std::make_shared<const RedisOptions>(options())};
  const auto tier = connect(with);
  server_.kill();
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(is_answered(*tier));
  EXPECT_FALSE(tier->is_silent());
}

}  // namespace
}  // namespace vcache::l2
