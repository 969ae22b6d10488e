#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "l2/redis_l2.hpp"
#include "support/l2_calls.hpp"
#include "support/poll_until.hpp"
#include "support/redis_sentinels.hpp"

namespace vcache::l2 {
namespace {

using base::Millis;
using std::chrono::steady_clock;
using testing::fetch;
using testing::poll_until;
using testing::store;

class SentinelTest : public ::testing::Test {
 protected:
  RedisOptions options() {
    RedisOptions out;
    out.layout = Layout::kSentinel;
    out.service = "service";
    out.timeout = Millis(500);
    for (std::size_t i = 0; i < 3; ++i) {
      out.seeds.push_back({.host = "127.0.0.1", .port = servers_.sentinel(i).port()});
    }
    return out;
  }

  testing::RedisSentinels servers_;
  base::SystemClock clock_;
};

TEST_F(SentinelTest, ASwitchIsFollowedWithinASecond) {
  const auto tier = make_redis_l2(options(), clock_);
  ASSERT_EQ(store(*tier, "k", "v"), Outcome::kHit);
  EXPECT_EQ(servers_.primary().call({"EXISTS", "vcache:k"}), "1");
  ASSERT_TRUE(poll_until([&] { return servers_.replica().has_all_of(servers_.primary()); }));
  servers_.primary().kill();
  ASSERT_TRUE(poll_until(
      [&] {
        (void)fetch(*tier, "k");
        return servers_.agree_on_replica();
      },
      std::chrono::seconds(30)));
  const auto agreed = steady_clock::now();
  ASSERT_TRUE(poll_until([&] { return store(*tier, "new", "v") == Outcome::kHit; }));
  EXPECT_LE(steady_clock::now() - agreed, std::chrono::seconds(1));
  EXPECT_EQ(fetch(*tier, "k").payload, "v");
}

TEST_F(SentinelTest, SentinelsThatAreAwayDoNoHarm) {
  servers_.sentinel(0).kill();
  servers_.sentinel(1).kill();
  const auto tier = make_redis_l2(options(), clock_);
  EXPECT_EQ(store(*tier, "k", "v"), Outcome::kHit);
  EXPECT_TRUE(tier->status(false).errors.empty());
  servers_.sentinel(2).kill();
  EXPECT_EQ(fetch(*tier, "k").payload, "v");
  EXPECT_EQ(store(*make_redis_l2(options(), clock_), "k", "v"), Outcome::kSkipped);
}

TEST_F(SentinelTest, AnUnknownServiceIsSkipped) {
  RedisOptions wrong = options();
  wrong.service = "other";
  const auto tier = make_redis_l2(wrong, clock_);
  EXPECT_EQ(store(*tier, "k", "v"), Outcome::kSkipped);
}

}  // namespace
}  // namespace vcache::l2
