#include "l2/command/fetch.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "l2/codec/encoder.hpp"
#include "support/collect_sink.hpp"
#include "support/fake_clock.hpp"
#include "support/l2_calls.hpp"

namespace vcache::l2::command {
namespace {

using base::Millis;
using client::ReplyPart;
using client::ReplyType;
using testing::CollectSink;

constexpr Millis kFarthest{std::numeric_limits<Millis::rep>::max()};

class FetchTest : public ::testing::Test {
 protected:
  // A value of "k" in generation 7, with these times in its header.
  static std::string stored(Millis created, Millis expires) {
    const base::ValueView value = testing::object_view("x");
    std::string out(codec::head_size(value), '\0');
    codec::encode_head(value,
                       {.fingerprint = codec::fingerprint("ns", "k"),
                        .created = created,
                        .expires = expires,
                        .generation = 7},
                       std::as_writable_bytes(std::span(out)));
    return out + "x";
  }

  CollectSink::Answer fetch(const std::string& value) {
    const std::vector<std::string_view> keys = {"k"};
    CollectSink sink(1);
    codec::Unpacker unpacker = unpacker_of(context_);
    Fetch batch(context_, keys, sink, unpacker);
    client::Request request;
    batch.append(request);
    batch.on_part({.type = ReplyType::kArray, .integer = 2});
    batch.on_part({.type = ReplyType::kString, .depth = 1, .index = 0, .text = "7"});
    batch.on_part({.type = ReplyType::kString, .depth = 1, .index = 1, .text = value});
    return sink.answers[0];
  }

  testing::FakeClock clock_;
  ServerFacts facts_{clock_};
  ErrorCounters errors_;
  Context context_{"ns", 1000, facts_, errors_};
};

TEST_F(FetchTest, TimesAreTakenFromTheHeader) {
  const Millis now = facts_.now();
  const CollectSink::Answer answer = fetch(stored(now - Millis(30), now + Millis(500)));
  ASSERT_EQ(answer.outcome, Outcome::kHit);
  EXPECT_EQ(answer.age, Millis(30));
  EXPECT_EQ(answer.remaining, Millis(500));
  EXPECT_EQ(fetch(stored(now, now - Millis(1))).remaining, Millis(0));
  EXPECT_EQ(fetch(stored(now + Millis(5), now)).age, Millis(0));
  EXPECT_LT(fetch(stored(now, Millis(0))).remaining, Millis(0)) << "no expiry";
}

// Whoever can write to Redis chooses the times. They must stay harmless in nanoseconds.
TEST_F(FetchTest, NoTimeIsLongerThanTenYears) {
  constexpr Millis kLongest = std::chrono::hours(24 * 3653);
  for (const Millis now : {Millis(1), Millis(-1'000'000), Millis(2'000'000'000'000)}) {
    clock_.set_wall(now);
    for (const Millis created : {Millis(0), Millis(1), kFarthest}) {
      for (const Millis expires : {Millis(1), Millis(9'300'000'000'000), kFarthest}) {
        const CollectSink::Answer answer = fetch(stored(created, expires));
        ASSERT_EQ(answer.outcome, Outcome::kHit);
        EXPECT_GE(answer.age, Millis(0));
        EXPECT_LE(answer.age, kLongest);
        EXPECT_GE(answer.remaining, Millis(0));
        EXPECT_LE(answer.remaining, kLongest);
      }
    }
  }
}

}  // namespace
}  // namespace vcache::l2::command
