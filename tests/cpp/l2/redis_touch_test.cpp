#include <memory>
#include <string>
#include <thread>

#include "cpp/l2/redis_fixture.hpp"

namespace vcache::l2 {
namespace {

using base::Millis;
using testing::CollectSink;
using testing::erase;
using testing::fetch;
using testing::store;
using testing::touch;

class RedisTouchTest : public RedisFixture {
 protected:
  const std::unique_ptr<L2> tier_ = connect();
};

TEST_F(RedisTouchTest, TouchChangesTheTtlOfRedis) {
  store(*tier_, "k", "x", Millis(1'000));
  EXPECT_EQ(touch(*tier_, "k", Millis(90'000)), Outcome::kHit);
  EXPECT_GT(std::stoi(server_.call({"PTTL", "ns:k"})), 80'000);
  EXPECT_EQ(touch(*tier_, "k", Millis(-1)), Outcome::kHit);
  EXPECT_GT(std::stoi(server_.call({"PTTL", "ns:k"})), 80'000) << "only asked";
  EXPECT_EQ(touch(*tier_, "k", Millis(0)), Outcome::kHit);
  EXPECT_EQ(server_.call({"PTTL", "ns:k"}), "-1");
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kHit);
  for (const Millis ttl : {Millis(-1), Millis(0), Millis(5)}) {
    EXPECT_EQ(touch(*tier_, "absent", ttl), Outcome::kMiss);
  }
  ASSERT_TRUE(tier_->clear().ok());
  EXPECT_EQ(touch(*tier_, "k", Millis(-1)), Outcome::kExpired);
}

TEST_F(RedisTouchTest, TouchChangesWhatOthersReadOfTheExpiry) {
  const auto other = connect();
  const std::string payload(10'000, 'p');
  store(*tier_, "k", payload, Millis(60'000));
  const auto remaining = [&] {
    const CollectSink::Answer answer = fetch(*other, "k");
    EXPECT_EQ(answer.payload, payload);
    EXPECT_LT(answer.age, Millis(5'000)) << "as it was made";
    return answer.remaining;
  };
  ASSERT_EQ(touch(*tier_, "k", Millis(30'000)), Outcome::kHit);
  EXPECT_LE(remaining(), Millis(30'000));
  EXPECT_GT(remaining(), Millis(25'000));
  EXPECT_LE(std::stoi(server_.call({"PTTL", "ns:k"})), 30'000);
  ASSERT_EQ(touch(*tier_, "k", Millis(90'000)), Outcome::kHit);
  EXPECT_GT(remaining(), Millis(85'000));
  EXPECT_GT(std::stoi(server_.call({"PTTL", "ns:k"})), 85'000);
  ASSERT_EQ(touch(*tier_, "k", Millis(0)), Outcome::kHit);
  EXPECT_LT(remaining(), Millis(0)) << "none";
  EXPECT_EQ(server_.call({"PTTL", "ns:k"}), "-1");
  ASSERT_EQ(touch(*tier_, "k", Millis(50'000)), Outcome::kHit);
  EXPECT_GT(remaining(), Millis(45'000));
  EXPECT_TRUE(tier_->status(false).errors.empty());
  EXPECT_EQ(tier_->status(false).connections, 1U);
}

// The value is larger than this reader takes: its header stays as it is.
TEST_F(RedisTouchTest, TouchOfWhatIsTooLargeChangesTheTtlOnly) {
  RedisOptions small = options();
  small.max_value = 100;
  const auto tier = connect(small);
  store(*tier_, "k", std::string(200'000, 'p'));
  EXPECT_EQ(touch(*tier, "k", Millis(5'000)), Outcome::kHit);
  EXPECT_LE(std::stoi(server_.call({"PTTL", "ns:k"})), 5'000);
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kHit);
  EXPECT_EQ(tier->status(false).breaker, "closed");
}

TEST_F(RedisTouchTest, TouchBringsNothingBackAndOverwritesNothing) {
  const std::jthread toucher([&](const std::stop_token& stop) {
    const auto other = connect();
    while (!stop.stop_requested()) (void)touch(*other, "k", Millis(60'000));
  });
  for (int i = 0; i < 500; ++i) {
    const std::string payload = std::to_string(i);
    ASSERT_EQ(store(*tier_, "k", payload), Outcome::kHit);
    ASSERT_EQ(fetch(*tier_, "k").payload, payload);
    (void)erase(*tier_, "k");
    ASSERT_EQ(fetch(*tier_, "k").outcome, Outcome::kMiss);
  }
}

TEST_F(RedisTouchTest, TouchDoesNotVouchForAnAlteredValue) {
  store(*tier_, "k", "some payload");
  server_.call({"SETRANGE", "ns:k", "130", "?"});
  (void)touch(*tier_, "k", Millis(30'000));
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kMiss);
}

}  // namespace
}  // namespace vcache::l2
