#include "cpp/l2/redis_fixture.hpp"

namespace vcache::l2 {
namespace {

using base::Millis;
using std::chrono::seconds;
using testing::CollectSink;
using testing::erase;
using testing::fetch;
using testing::store;
using testing::touch;

// The time of the server is as far ahead as the clock was advanced since the first call.
class GraceTest : public RedisFixture {
 protected:
  [[nodiscard]] std::unique_ptr<L2> connect_with(Millis grace) const {
    RedisOptions with = options();
    with.grace = grace;
    return connect(with);
  }

  const std::unique_ptr<L2> tier_ = connect_with(seconds(30));
};

TEST_F(GraceTest, RedisKeepsWhatHasExpired) {
  store(*tier_, "k", "v", seconds(10));
  EXPECT_GT(std::stoi(server_.call({"PTTL", "ns:k"})), 39'000);
  EXPECT_FALSE(fetch(*tier_, "k").stale);
  clock_.advance(seconds(11));
  const CollectSink::Answer answer = fetch(*tier_, "k");
  EXPECT_EQ(answer.outcome, Outcome::kHit);
  EXPECT_TRUE(answer.stale);
  EXPECT_EQ(answer.payload, "v");
  EXPECT_EQ(answer.remaining, Millis(0));
  clock_.advance(seconds(30));
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired);
}

TEST_F(GraceTest, AReaderGoesByItsOwnGrace) {
  const auto without = connect();
  store(*tier_, "k", "v", seconds(10));
  EXPECT_EQ(fetch(*without, "k").outcome, Outcome::kHit);
  clock_.advance(seconds(11));
  EXPECT_EQ(fetch(*without, "k").outcome, Outcome::kExpired);
  EXPECT_TRUE(fetch(*tier_, "k").stale) << "and left it there";
}

// Its header may say another time than Redis, where an operator changed the TTL.
TEST_F(GraceTest, OfAnEntryWithoutGraceRedisDecides) {
  const auto without = connect();
  store(*without, "k", "v", seconds(10));
  EXPECT_LE(std::stoi(server_.call({"PTTL", "ns:k"})), 10'000);
  clock_.advance(seconds(11));
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kHit);
  EXPECT_FALSE(fetch(*tier_, "k").stale);
}

TEST_F(GraceTest, WithoutExpiryThereIsNone) {
  store(*tier_, "k", "v", Millis(0));
  EXPECT_EQ(server_.call({"PTTL", "ns:k"}), "-1");
  clock_.advance(seconds(50));
  EXPECT_FALSE(fetch(*tier_, "k").stale);
}

TEST_F(GraceTest, WhatHasExpiredIsNotThere) {
  store(*tier_, "k", "v", seconds(10));
  clock_.advance(seconds(11));
  EXPECT_EQ(touch(*tier_, "k", Millis(-1)), Outcome::kExpired);
  EXPECT_EQ(touch(*tier_, "k", seconds(100)), Outcome::kExpired);
  EXPECT_TRUE(fetch(*tier_, "k").stale) << "touch brought nothing back";
  EXPECT_EQ(erase(*tier_, "k"), Outcome::kExpired);
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kMiss);
}

TEST_F(GraceTest, TouchKeepsTheGrace) {
  store(*tier_, "k", "v", seconds(10));
  EXPECT_EQ(touch(*tier_, "k", seconds(20)), Outcome::kHit);
  EXPECT_GT(std::stoi(server_.call({"PTTL", "ns:k"})), 49'000);
  clock_.advance(seconds(15));
  EXPECT_FALSE(fetch(*tier_, "k").stale);
  clock_.advance(seconds(6));
  EXPECT_TRUE(fetch(*tier_, "k").stale);
}

TEST_F(GraceTest, ClearEndsItToo) {
  store(*tier_, "k", "v", seconds(10));
  clock_.advance(seconds(11));
  ASSERT_TRUE(tier_->clear().ok());
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired);
  EXPECT_FALSE(fetch(*tier_, "k").stale);
}

}  // namespace
}  // namespace vcache::l2
