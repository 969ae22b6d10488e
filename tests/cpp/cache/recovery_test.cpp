#include "cache/recovery.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cpp/cache/recovery_fixture.hpp"
#include "l2/redis_l2.hpp"
#include "support/fake_clock.hpp"
#include "support/in_child.hpp"
#include "support/l2_calls.hpp"
#include "support/map_l2.hpp"
#include "support/poll_until.hpp"
#include "support/redis_server.hpp"

namespace vcache::cache {
namespace {

using base::Millis;
using l2::Outcome;
using std::chrono::hours;
using std::chrono::seconds;
using testing::CollectSink;
using testing::erase;
using testing::fetch;
using testing::object_view;
using testing::poll_until;
using testing::store;
using testing::touch;
using testing::views;

TEST_F(RecoveryTest, AWellTierIsAskedAsIfItWereAlone) {
  EXPECT_EQ(store(recovery_, "k", "x"), Outcome::kHit);
  EXPECT_EQ(fetch(recovery_, "k").payload, "x");
  EXPECT_EQ(touch(recovery_, "k", seconds(1)), Outcome::kHit);
  EXPECT_EQ(erase(recovery_, "k"), Outcome::kHit);
  EXPECT_EQ(fetch(recovery_, "k").outcome, Outcome::kMiss);
  EXPECT_EQ(status().waiting, 0U);
}

TEST_F(RecoveryTest, WhatWasNotTakenIsTheTruthAndIsSentLater) {
  store(*redis_, "k", "old");
  store(*redis_, "gone", "old");
  redis_->down = true;
  EXPECT_EQ(store(recovery_, "k", "new", hours(1)), Outcome::kFailed);
  EXPECT_EQ(erase(recovery_, "gone"), Outcome::kFailed);
  EXPECT_EQ(recovery_.run(), Millis(250)) << "no answer: later";
  redis_->down = false;
  clock_.advance(seconds(10));
  EXPECT_EQ(fetch(*redis_, "k").payload, "old");
  const CollectSink::Answer answer = fetch(recovery_, "k");
  EXPECT_EQ(answer.payload, "new");
  EXPECT_EQ(answer.age, seconds(10));
  EXPECT_EQ(answer.remaining, hours(1) - seconds(10));
  EXPECT_EQ(fetch(recovery_, "gone").outcome, Outcome::kMiss);
  EXPECT_EQ(touch(recovery_, "gone", Millis(-1)), Outcome::kMiss);
  EXPECT_EQ(status().waiting, 2U);
  replay();
  EXPECT_EQ(fetch(*redis_, "k").payload, "new");
  EXPECT_EQ(fetch(*redis_, "k").remaining, hours(1) - seconds(10));
  EXPECT_EQ(fetch(*redis_, "gone").outcome, Outcome::kMiss);
  EXPECT_EQ(status().waiting, 0U);
  EXPECT_EQ(status().recovered, 2U);
}

TEST_F(RecoveryTest, KeysThatDoNotWaitAreAskedFor) {
  store(*redis_, "other", "o");
  redis_->down = true;
  store(recovery_, "k", "new");
  erase(recovery_, "gone");
  redis_->down = false;
  const std::vector<std::string> keys = {"gone", "other", "k", "nobody's", "other"};
  CollectSink sink(keys.size());
  EXPECT_TRUE(recovery_.fetch(views(keys), sink).ok());
  EXPECT_TRUE(sink.complete());
  EXPECT_EQ(sink.answers[0].outcome, Outcome::kMiss);
  EXPECT_EQ(sink.answers[1].payload, "o");
  EXPECT_EQ(sink.answers[2].payload, "new");
  EXPECT_EQ(sink.answers[3].outcome, Outcome::kMiss);
  EXPECT_EQ(sink.answers[4].payload, "o");
}

TEST_F(RecoveryTest, ALaterWriteTakesThePlaceOfOneThatWaits) {
  redis_->down = true;
  store(recovery_, "k", "first");
  redis_->down = false;
  EXPECT_EQ(store(recovery_, "k", "second"), Outcome::kSkipped) << "not beside the first";
  EXPECT_EQ(fetch(recovery_, "k").payload, "second");
  EXPECT_EQ(erase(recovery_, "k"), Outcome::kHit);
  EXPECT_EQ(erase(recovery_, "k"), Outcome::kMiss);
  EXPECT_EQ(store(recovery_, "k", "third"), Outcome::kSkipped);
  EXPECT_EQ(store(recovery_, "another", "x"), Outcome::kHit);
  replay();
  EXPECT_EQ(fetch(*redis_, "k").payload, "third");
  EXPECT_EQ(status().recovered, 1U);
}

TEST_F(RecoveryTest, WhatIsWrittenDuringItsSendingIsSentAfterIt) {
  redis_->down = true;
  store(recovery_, "k", "first");
  store(recovery_, "j", "first");
  redis_->down = false;
  redis_->before_store = [&] {
    EXPECT_EQ(store(recovery_, "k", "second"), Outcome::kSkipped);
    EXPECT_EQ(erase(recovery_, "j"), Outcome::kHit);
  };
  EXPECT_EQ(recovery_.run(), Millis(0));
  EXPECT_EQ(fetch(*redis_, "k").payload, "first");
  EXPECT_EQ(fetch(recovery_, "k").payload, "second");
  EXPECT_EQ(fetch(recovery_, "j").outcome, Outcome::kMiss);
  replay();
  EXPECT_EQ(fetch(*redis_, "k").payload, "second");
  EXPECT_EQ(fetch(*redis_, "j").outcome, Outcome::kMiss);
}

TEST_F(RecoveryTest, AClearEndsWhatWaitsAndWhatIsBeingSent) {
  redis_->down = true;
  store(recovery_, "k", "first");
  redis_->down = false;
  redis_->before_store = [&] { EXPECT_TRUE(recovery_.clear().ok()); };
  (void)recovery_.run();
  EXPECT_EQ(fetch(*redis_, "k").payload, "first") << "it came behind the clear";
  EXPECT_EQ(fetch(recovery_, "k").outcome, Outcome::kMiss);
  replay();
  EXPECT_EQ(fetch(*redis_, "k").outcome, Outcome::kMiss);
  redis_->down = true;
  store(recovery_, "k", "second");
  EXPECT_FALSE(recovery_.clear().ok());
  redis_->down = false;
  replay();
  EXPECT_EQ(fetch(*redis_, "k").outcome, Outcome::kMiss);
}

TEST_F(RecoveryTest, AfterAClearThatFailedOnlyTheClearIsWaitedFor) {
  redis_->forbids_looks = true;
  redis_->down = true;
  EXPECT_FALSE(recovery_.clear().ok());
  EXPECT_TRUE(recovery_.owes());
  store(recovery_, "k", "x");
  EXPECT_EQ(recovery_.run(), Millis(250)) << "no answer: later";
  redis_->down = false;
  replay();
  EXPECT_FALSE(recovery_.owes());
  EXPECT_EQ(redis_->clears, 1);
  EXPECT_EQ(fetch(*redis_, "k").payload, "x");
}

TEST_F(RecoveryTest, ATouchChangesWhatWaitsOrWaitsItself) {
  store(*redis_, "there", "t", seconds(10));
  redis_->down = true;
  store(recovery_, "k", "x", seconds(10));
  EXPECT_EQ(touch(recovery_, "k", hours(1)), Outcome::kHit);
  EXPECT_EQ(touch(recovery_, "there", hours(1)), Outcome::kFailed);
  EXPECT_EQ(touch(recovery_, "there", Millis(0)), Outcome::kSkipped);
  redis_->down = false;
  EXPECT_EQ(fetch(recovery_, "k").remaining, hours(1));
  EXPECT_EQ(fetch(recovery_, "there").payload, "t") << "the value is the tier's to tell";
  EXPECT_EQ(touch(recovery_, "there", Millis(-1)), Outcome::kHit);
  replay();
  EXPECT_EQ(fetch(*redis_, "k").remaining, hours(1));
  EXPECT_EQ(status().recovered, 2U);
}

TEST_F(RecoveryTest, ATouchWithoutAnAnswerKeepsWhatCameToWaitDuringIt) {
  store(*redis_, "stored", "old");
  store(*redis_, "erased", "old");
  redis_->down = true;
  redis_->before_touch = [&] { EXPECT_EQ(store(recovery_, "stored", "new"), Outcome::kFailed); };
  EXPECT_EQ(touch(recovery_, "stored", hours(1)), Outcome::kHit);
  redis_->before_touch = [&] { EXPECT_EQ(erase(recovery_, "erased"), Outcome::kFailed); };
  EXPECT_EQ(touch(recovery_, "erased", hours(1)), Outcome::kMiss);
  redis_->down = false;
  replay();
  EXPECT_EQ(fetch(*redis_, "stored").payload, "new");
  EXPECT_EQ(fetch(*redis_, "stored").remaining, hours(1));
  EXPECT_EQ(fetch(*redis_, "erased").outcome, Outcome::kMiss);
}

TEST_F(RecoveryTest, AValueOverItsTimeIsADeletion) {
  store(*redis_, "k", "old");
  redis_->down = true;
  store(recovery_, "k", "new", seconds(5));
  redis_->down = false;
  clock_.advance(seconds(5));
  EXPECT_EQ(fetch(recovery_, "k").outcome, Outcome::kMiss) << "and not the old value";
  replay();
  EXPECT_EQ(fetch(*redis_, "k").outcome, Outcome::kMiss);
}

TEST_F(RecoveryTest, ValuesWithoutRoomBecomeDeletions) {
  for (const char* key : {"a", "b", "c"}) store(*redis_, key, "old");
  redis_->down = true;
  const std::string big(40'000, 'x');
  for (const char* key : {"a", "b", "c"}) store(recovery_, key, big);
  redis_->down = false;
  EXPECT_EQ(fetch(recovery_, "a").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(recovery_, "b").payload, big);
  EXPECT_EQ(fetch(recovery_, "c").payload, big);
  replay();
  EXPECT_EQ(fetch(*redis_, "a").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(*redis_, "c").payload, big);
  EXPECT_EQ(status().dropped, 1U);
}

TEST_F(RecoveryTest, TheOldestKeysGoWhereThereAreTooMany) {
  redis_->down = true;
  for (int i = 0; i < 150; ++i) store(recovery_, "k" + std::to_string(i), "x");
  redis_->down = false;
  EXPECT_EQ(status().waiting, 100U);
  EXPECT_EQ(status().dropped, 50U);
  replay();
  EXPECT_EQ(fetch(*redis_, "k49").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(*redis_, "k50").payload, "x");
  EXPECT_EQ(status().recovered, 100U);
}

TEST_F(RecoveryTest, TheOldestDeletionsGoWhereTheyFindNoRoom) {
  redis_->down = true;
  const std::string tail(2'000, 'x');
  for (int i = 0; i < 90; ++i) erase(recovery_, std::to_string(i) + tail);
  EXPECT_LE(status().waiting, 50U);
  EXPECT_EQ(status().waiting + status().dropped, 90U);
  store(recovery_, "k", "newest");
  EXPECT_EQ(erase(recovery_, "0" + tail), Outcome::kFailed) << "it does not wait any more";
  EXPECT_EQ(erase(recovery_, "89" + tail), Outcome::kMiss) << "it waits";
  EXPECT_LE(status().waiting, 50U);
  redis_->down = false;
  replay();
  EXPECT_EQ(status().waiting, 0U);
}

TEST_F(RecoveryTest, AValueThatBecameADeletionLeavesMemory) {
  redis_->refuses_values = true;
  store(recovery_, "refused", "v");
  for (int turn = 0; turn < 10; ++turn) (void)recovery_.run();
  EXPECT_EQ(ear_.count("key refused"), 0U) << "as long as it is not deleted";
  redis_->refuses_values = false;
  store(recovery_, "taken", "v");
  replay();
  EXPECT_EQ(ear_.count("key refused"), 1U);
  EXPECT_EQ(ear_.count("key taken"), 0U);
}

TEST_F(RecoveryTest, WhatIsRefusedAgainAndAgainIsDeletedAtLast) {
  store(*redis_, "k", "old");
  redis_->refuses_values = true;
  store(recovery_, "k", "new");
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(fetch(recovery_, "k").payload, "new");
    EXPECT_EQ(recovery_.run(), seconds(1));
  }
  EXPECT_EQ(status().dropped, 1U);
  replay();
  EXPECT_EQ(fetch(*redis_, "k").outcome, Outcome::kMiss) << "at least not the old one";
  EXPECT_EQ(status().waiting, 0U);
}

TEST_F(RecoveryTest, CloseSendsWhatItCan) {
  redis_->down = true;
  store(recovery_, "k", "x");
  redis_->down = false;
  recovery_.close();
  EXPECT_EQ(fetch(*redis_, "k").payload, "x");
  redis_->down = true;
  store(recovery_, "k", "y");
  recovery_.close();
  EXPECT_EQ(status().waiting, 0U);
}

TEST_F(RecoveryTest, AChildHasNoneOfItsParents) {
  redis_->down = true;
  store(recovery_, "k", "x");
  redis_->down = false;
  EXPECT_TRUE(testing::holds_in_child([&] {
    return status().waiting == 0 && fetch(recovery_, "k").outcome == Outcome::kMiss &&
           store(recovery_, "k", "childs") == Outcome::kHit;
  }));
  EXPECT_EQ(fetch(recovery_, "k").payload, "x");
}

// Threads write versions that only grow, each its own keys, over a tier that comes and goes. What a
// thread reads is never older than what it wrote last, and the tier ends with the last versions.
TEST_F(RecoveryTest, NoOlderValueComesBackWhateverTheTierDoes) {
  constexpr int kThreads = 3;
  constexpr int kKeys = 20;
  std::atomic<int> working{kThreads};
  std::atomic<int> wrong{0};
  std::vector<std::vector<int>> last(kThreads, std::vector<int>(kKeys, 0));
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int turn = 1; turn <= 3000; ++turn) {
          if (turn % 40 == 0) redis_->down = !redis_->down;
          const auto k = static_cast<std::size_t>(turn * 7 % kKeys);
          const std::string key = std::to_string(t) + ":" + std::to_string(k);
          int& version = last[static_cast<std::size_t>(t)][k];
          version = turn % 5 == 0 ? 0 : turn;
          version == 0 ? erase(recovery_, key) : store(recovery_, key, std::to_string(version));
          const CollectSink::Answer answer = fetch(recovery_, key);
          const bool lost = answer.outcome == Outcome::kFailed;  // nothing waits, no answer
          const std::string expected = version == 0 ? "" : std::to_string(version);
          if (!lost && answer.payload != expected) ++wrong;
        }
        --working;
      });
    }
    threads.emplace_back([&] {
      while (working > 0) (void)recovery_.run();
    });
  }
  redis_->down = false;
  replay();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(status().recovered, 0U);
  for (std::size_t t = 0; t < kThreads; ++t) {
    for (std::size_t k = 0; k < kKeys; ++k) {
      const std::string key = std::to_string(t) + ":" + std::to_string(k);
      const std::string expected = last[t][k] == 0 ? "" : std::to_string(last[t][k]);
      EXPECT_EQ(fetch(*redis_, key).payload, expected) << key;
    }
  }
}

class RecoveryServerTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<Recovery> connect() {
    l2::RedisOptions options;
    options.port = server_.port();
    options.timeout = Millis(200);
    return std::make_unique<Recovery>(l2::make_redis_l2(options, base::system_clock()),
                                      base::system_clock(), PendingWrites::Limits{}, Millis(200));
  }
  static bool settled(Recovery& recovery) {
    return poll_until([&] { return recovery.status(false).waiting == 0; });
  }
  // The first answer that is one: a busy server may let a call's time pass.
  static CollectSink::Answer answer_of(l2::L2& tier, int key) {
    CollectSink::Answer answer;
    EXPECT_TRUE(poll_until([&] {
      answer = fetch(tier, std::to_string(key));
      return answer.outcome != Outcome::kFailed && answer.outcome != Outcome::kSkipped;
    })) << key;
    return answer;
  }

  testing::RedisServer server_;
};

TEST_F(RecoveryServerTest, AfterARestartWhatWasWrittenMeanwhileIsThereForAll) {
  const auto ours = connect();
  ASSERT_EQ(store(*ours, "0", "before"), Outcome::kHit);
  server_.kill();
  for (int i = 0; i < 1000; ++i) store(*ours, std::to_string(i), "meanwhile");
  EXPECT_EQ(ours->status(false).waiting, 1000U);
  server_.start();
  ASSERT_TRUE(settled(*ours));
  const auto theirs = connect();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(answer_of(*theirs, i).payload, "meanwhile");
    EXPECT_EQ(answer_of(*ours, i).payload, "meanwhile");
  }
  EXPECT_EQ(ours->status(false).recovered, 1000U);
}

TEST_F(RecoveryServerTest, AfterAFreezeNoOlderValueIsRead) {
  const auto ours = connect();
  for (int i = 0; i < 500; ++i) store(*ours, std::to_string(i), "old");
  ASSERT_TRUE(settled(*ours));
  server_.freeze();
  for (int i = 0; i < 500; i += 2) store(*ours, std::to_string(i), "new");
  for (int i = 1; i < 500; i += 2) erase(*ours, std::to_string(i));
  server_.thaw();
  const auto check = [&](l2::L2& tier) {
    for (int i = 0; i < 500; ++i) {
      const CollectSink::Answer answer = answer_of(tier, i);
      EXPECT_EQ(answer.outcome, i % 2 == 0 ? Outcome::kHit : Outcome::kMiss) << i;
      EXPECT_EQ(answer.payload, i % 2 == 0 ? "new" : "") << i;
    }
  };
  check(*ours);
  ASSERT_TRUE(settled(*ours));
  check(*ours);
  check(*connect());
}

TEST_F(RecoveryServerTest, AnOwedClearIsMadeUpForWithoutACall) {
  const auto ours = connect();
  const auto theirs = connect();
  ASSERT_EQ(store(*ours, "k", "x"), Outcome::kHit);
  server_.freeze();
  EXPECT_FALSE(ours->clear().ok());
  server_.thaw();
  EXPECT_TRUE(poll_until([&] { return fetch(*theirs, "k").outcome == Outcome::kExpired; }));
}

}  // namespace
}  // namespace vcache::cache
