#include "l2/command/time.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/fake_clock.hpp"

namespace vcache::l2::command {
namespace {

using client::ReplyType;

class TimeReplyTest : public ::testing::Test {
 protected:
  void reply(const std::string& seconds, const std::string& micros) {
    TimeReply time;
    time.on_part({.type = ReplyType::kString, .depth = 1, .index = 0, .text = seconds}, facts_);
    time.on_part({.type = ReplyType::kString, .depth = 1, .index = 1, .text = micros}, facts_);
  }

  testing::FakeClock clock_;
  ServerFacts facts_{clock_};
};

TEST_F(TimeReplyTest, TellsTheServersTime) {
  reply("1700000000", "250000");
  EXPECT_EQ(facts_.now(), base::Millis(1'700'000'000'250));
}

TEST_F(TimeReplyTest, ATimeThatNanosecondsCannotHoldIsNone) {
  const base::Millis before = facts_.now();
  for (const char* seconds : {"9223372037", "1099511627775", "9223372036854775807", "-1", "x"}) {
    reply(seconds, "0");
    EXPECT_EQ(facts_.now(), before) << seconds;
    EXPECT_GT(facts_.generation_after(0), 0U);
  }
}

TEST_F(TimeReplyTest, TheLatestTimeStillMakesAGeneration) {
  reply("8589934591", "999999");
  EXPECT_GE(facts_.generation_after(0), 8'589'934'591'000'000U);
}

}  // namespace
}  // namespace vcache::l2::command
