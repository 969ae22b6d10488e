#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cpp/l2/redis_fixture.hpp"
#include "support/cluster_calls.hpp"
#include "support/ear.hpp"

namespace vcache::l2 {
namespace {

using base::Millis;
using std::chrono::hours;
using testing::CollectSink;
using testing::fetch;
using testing::store_tagged;
using testing::Tags;
using testing::take_stamp;
using testing::touch;
using testing::views;

base::Error invalidate(L2& tier, const Tags& tags) { return tier.invalidate_tags(tags); }

base::Error erase_matching(L2& tier, std::string_view pattern, std::vector<std::string>& erased) {
  L2::Progress progress;
  return tier.erase_matching(pattern, erased, progress);
}

class TagsTest : public RedisFixture {
 protected:
  std::string call(std::vector<std::string> words) { return server_.call(std::move(words)); }
  // More than one step of an erasure looks at.
  void store_users() {
    EXPECT_EQ(testing::store_all(*tier_, testing::numbered("user:", 2500)), 2500U);
  }

  std::unique_ptr<L2> tier_ = connect();
};

TEST_F(TagsTest, AnInvalidationEndsWhatHasTheTagForEveryProcess) {
  const auto other = connect();
  EXPECT_EQ(store_tagged(*tier_, "a", {"red", "blue"}), Outcome::kHit);
  EXPECT_EQ(store_tagged(*tier_, "b", {"blue"}), Outcome::kHit);
  EXPECT_EQ(testing::store(*tier_, "c", "c"), Outcome::kHit);
  EXPECT_EQ(fetch(*other, "a").payload, "a");
  EXPECT_TRUE(invalidate(*tier_, {"red"}).ok());
  for (L2* const each : {tier_.get(), other.get()}) {
    EXPECT_EQ(fetch(*each, "a").outcome, Outcome::kExpired);
    EXPECT_EQ(fetch(*each, "b").payload, "b");
    EXPECT_EQ(fetch(*each, "c").payload, "c");
    EXPECT_EQ(touch(*each, "a", Millis(-1)), Outcome::kExpired);
    EXPECT_EQ(touch(*each, "b", Millis(-1)), Outcome::kHit);
  }
  EXPECT_EQ(store_tagged(*other, "a", {"red"}), Outcome::kHit);
  EXPECT_EQ(fetch(*tier_, "a").payload, "a");
}

TEST_F(TagsTest, WhatWasBegunBeforeIsNeverServedAfter) {
  const auto other = connect();
  const std::uint64_t stamp = take_stamp(*tier_, {"red"});
  EXPECT_TRUE(invalidate(*other, {"red"}).ok());
  EXPECT_EQ(store_tagged(*tier_, "k", {"red"}, stamp), Outcome::kHit);
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired);
  EXPECT_EQ(store_tagged(*tier_, "k", {"red"}), Outcome::kHit);
  EXPECT_EQ(fetch(*other, "k").payload, "k");
}

TEST_F(TagsTest, InvalidationsOfOtherTagsEndNothing) {
  EXPECT_EQ(store_tagged(*tier_, "k", {"red"}), Outcome::kHit);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(invalidate(*tier_, {"blue"}).ok());
  EXPECT_EQ(fetch(*tier_, "k").payload, "k");
}

TEST_F(TagsTest, ABatchIsJudgedKeyByKey) {
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) keys.push_back("k" + std::to_string(i));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::string tag = "tag" + std::to_string(i % 10);
    ASSERT_EQ(i % 3 == 0 ? testing::store(*tier_, keys[i], keys[i])
                         : store_tagged(*tier_, keys[i], {tag}),
              Outcome::kHit);
  }
  EXPECT_TRUE(invalidate(*tier_, {"tag1", "tag2"}).ok());
  CollectSink sink(keys.size());
  EXPECT_TRUE(tier_->fetch(views(keys), sink).ok());
  EXPECT_TRUE(sink.complete());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool ended = i % 3 != 0 && (i % 10 == 1 || i % 10 == 2);
    EXPECT_EQ(sink.answers[i].outcome, ended ? Outcome::kExpired : Outcome::kHit) << i;
    EXPECT_EQ(sink.answers[i].payload, ended ? "" : keys[i]);
  }
}

// As a server does that runs out of memory.
TEST_F(TagsTest, KeysOfOursThatAreGoneEndEntriesAndBringNoneBack) {
  for (const std::string key : {"ns!tag:red", "ns!stamp"}) {
    const std::uint64_t begun = take_stamp(*tier_, {"red"});
    EXPECT_EQ(store_tagged(*tier_, "k", {"red"}), Outcome::kHit);
    EXPECT_TRUE(invalidate(*tier_, {"red"}).ok());
    EXPECT_EQ(call({"DEL", key}), "1");
    EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired) << key;
    clock_.advance(std::chrono::seconds(1));
    const std::uint64_t later = take_stamp(*tier_, {"red"});
    EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired) << key;
    EXPECT_EQ(store_tagged(*tier_, "k", {"red"}, begun), Outcome::kHit);
    EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired) << key;
    EXPECT_EQ(store_tagged(*tier_, "k", {"red"}, later), Outcome::kHit);
    EXPECT_EQ(fetch(*tier_, "k").payload, "k") << key;
  }
}

TEST_F(TagsTest, StampsOnlyGrowAndAreTimes) {
  const std::uint64_t first = take_stamp(*tier_, {});
  EXPECT_GT(first, 1'600'000'000'000'000U);
  std::uint64_t last = first;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(invalidate(*tier_, {"red"}).ok());
    const std::uint64_t next = take_stamp(*tier_, {});
    EXPECT_GT(next, last);
    EXPECT_EQ(call({"GET", "ns!tag:red"}), std::to_string(next));
    last = next;
  }
  EXPECT_LT(last, first + 60'000'000'000U) << "not far ahead of the clock";
}

TEST_F(TagsTest, ManyStepsAtOnceLeaveTheStampNearTheClock) {
  (void)call({"SET", "ns!stamp", "1"});
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i] {
      const auto tier = connect();
      for (int round = 0; round < 20; ++round) {
        const std::string tag = "tag" + std::to_string(i);
        EXPECT_EQ(store_tagged(*tier, tag, {tag}), Outcome::kHit);
        EXPECT_TRUE(invalidate(*tier, {tag}).ok());
        EXPECT_EQ(fetch(*tier, tag).outcome, Outcome::kExpired);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto now = std::chrono::system_clock::now().time_since_epoch();  // the server's, too
  EXPECT_LT(
      std::stoll(call({"GET", "ns!stamp"})),
      std::chrono::duration_cast<std::chrono::microseconds>(now + std::chrono::milliseconds(100))
          .count());
}

TEST_F(TagsTest, WithGraceATagOfWhatDoesNotExpireIsKeptForGood) {
  RedisOptions with = options();
  with.grace = hours(1);
  (void)take_stamp(*connect(with), {"red"}, Millis(0));
  EXPECT_GE(std::stoll(call({"PTTL", "ns!tag:red"})), Millis(hours(24 * 3650)).count());
}

TEST_F(TagsTest, AUserWithoutTheRightsForTagsClears) {
  EXPECT_EQ(store_tagged(*tier_, "k", {"red"}), Outcome::kHit);
  EXPECT_EQ(testing::store(*tier_, "other", "x"), Outcome::kHit);
  (void)call({"ACL", "SETUSER", "few", "on", ">secret", "~*", "+@all", "-copy"});
  RedisOptions with = options();
  with.username = "few";
  with.password = "secret";
  const auto few = connect(with);
  EXPECT_TRUE(invalidate(*few, {"red"}).ok());
  for (const std::string key : {"k", "other"}) {
    EXPECT_EQ(fetch(*few, key).outcome, Outcome::kExpired);
    EXPECT_EQ(fetch(*tier_, key).outcome, Outcome::kExpired);
  }
}

TEST_F(TagsTest, OneThreadPaysWhatIsOwedAndTheOthersWait) {
  EXPECT_EQ(store_tagged(*tier_, "k", {"red"}), Outcome::kHit);
  server_.freeze();
  EXPECT_FALSE(invalidate(*tier_, {"red"}).ok());
  server_.thaw();
  ASSERT_TRUE(testing::poll_until([&] { return tier_->status(true).outcome == Outcome::kHit; }));
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, i] {
      if (i == 0) (void)tier_->clear();
      EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(TagsTest, ATagIsKeptAsLongAsWhatHasIt) {
  (void)take_stamp(*tier_, {"red"}, hours(100));
  EXPECT_GE(std::stoll(call({"PTTL", "ns!tag:red"})), Millis(hours(100)).count());
  (void)take_stamp(*tier_, {"red"}, hours(1));
  EXPECT_GE(std::stoll(call({"PTTL", "ns!tag:red"})), Millis(hours(100)).count());
  (void)take_stamp(*tier_, {"red"}, Millis(0));
  EXPECT_GE(std::stoll(call({"PTTL", "ns!tag:red"})), Millis(hours(24 * 3650)).count());
  EXPECT_TRUE(invalidate(*tier_, {"red"}).ok());
  const long long left = std::stoll(call({"PTTL", "ns!tag:red"}));
  EXPECT_GT(left, 0);
  EXPECT_LT(left, Millis(hours(5)).count()) << "what is older is over without it";
  EXPECT_EQ(store_tagged(*tier_, "k", {"red"}, take_stamp(*tier_, {"red"}, hours(1))),
            Outcome::kHit);
  EXPECT_EQ(touch(*tier_, "k", hours(200)), Outcome::kHit);
  EXPECT_GE(std::stoll(call({"PTTL", "ns!tag:red"})), Millis(hours(200)).count());
}

TEST_F(TagsTest, AnInvalidationThatFailedIsMadeUpForBeforeTheNextFetch) {
  const auto other = connect();
  EXPECT_EQ(store_tagged(*tier_, "k", {"red"}), Outcome::kHit);
  EXPECT_EQ(store_tagged(*tier_, "b", {"blue"}), Outcome::kHit);
  server_.freeze();
  EXPECT_FALSE(invalidate(*tier_, {"red"}).ok());
  server_.thaw();
  ASSERT_TRUE(testing::poll_until([&] { return fetch(*tier_, "b").outcome == Outcome::kHit; }));
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired);
  EXPECT_EQ(fetch(*other, "k").outcome, Outcome::kExpired);
}

TEST_F(TagsTest, AClearEndsWhatHasTags) {
  EXPECT_EQ(store_tagged(*tier_, "k", {"red"}), Outcome::kHit);
  EXPECT_TRUE(tier_->clear().ok());
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired);
  EXPECT_EQ(store_tagged(*tier_, "k", {"red"}), Outcome::kHit);
  EXPECT_EQ(fetch(*tier_, "k").payload, "k");
}

TEST_F(TagsTest, OtherProcessesAreToldOfAnInvalidation) {
  testing::Ear ear;
  RedisOptions with = options();
  with.tracking = true;
  const auto listener = make_redis_l2(with, clock_, ear);
  (void)fetch(*listener, "first call");
  ASSERT_TRUE(ear.hears("up"));
  EXPECT_TRUE(invalidate(*tier_, {"red"}).ok());
  EXPECT_TRUE(ear.hears("tag red"));
}

TEST_F(TagsTest, APatternErasesTheKeysItTakes) {
  store_users();
  EXPECT_EQ(testing::store(*tier_, "users", "x"), Outcome::kHit);
  (void)call({"SET", "other:user:1", "x"});
  std::vector<std::string> erased;
  EXPECT_TRUE(erase_matching(*tier_, "user:*", erased).ok());
  EXPECT_EQ(erased.size(), 2500U);
  EXPECT_EQ(fetch(*tier_, "user:7").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(*tier_, "users").payload, "x");
  EXPECT_EQ(call({"EXISTS", "other:user:1"}), "1");
}

TEST_F(TagsTest, AnErasureEndsBetweenItsStepsWhenItIsOver) {
  store_users();
  std::vector<std::string> erased;
  L2::Progress progress;
  progress.is_over = [asked = 0]() mutable { return asked++ > 0; };
  EXPECT_FALSE(tier_->erase_matching("user:*", erased, progress).ok());
  EXPECT_GT(erased.size(), 0U);
  EXPECT_LT(erased.size(), 2500U);
  progress.is_over = nullptr;
  EXPECT_TRUE(tier_->erase_matching("user:*", erased, progress).ok());
  EXPECT_EQ(erased.size(), 2500U);
}

TEST_F(TagsTest, APatternErasesAllWithoutTheRightToLook) {
  store_users();
  (void)call({"ACL", "SETUSER", "app", "on", ">pw", "allkeys", "+@all", "-getrange"});
  RedisOptions with = options();
  with.username = "app";
  with.password = "pw";
  const auto blind = connect(with);
  std::vector<std::string> erased;
  EXPECT_TRUE(erase_matching(*blind, "user:*", erased).ok());
  EXPECT_EQ(erased.size(), 2500U);
  EXPECT_GT(errors(*blind, "noperm"), 0U);
  (void)call({"ACL", "SETUSER", "app", "+getrange", "-unlink"});
  EXPECT_EQ(testing::store(*tier_, "user:1", "x"), Outcome::kHit);
  EXPECT_EQ(erase_matching(*blind, "user:*", erased).code, base::ErrorCode::kForbidden);
}

// The same over several servers, whose namespace's own keys lie on one.
enum class Spreading : std::uint8_t { kShards, kCluster };

testing::RedisCluster& shared_cluster() {
  static testing::RedisCluster cluster;
  return cluster;
}

class SpreadTagsTest : public ::testing::TestWithParam<Spreading> {
 protected:
  void SetUp() override {
    RedisOptions options;
    if (GetParam() == Spreading::kCluster) {
      options = testing::options_for(shared_cluster());
    } else {
      servers_ = std::make_unique<std::array<testing::RedisServer, 3>>();
      options.layout = Layout::kShards;
      options.timeout = Millis(2000);
      for (testing::RedisServer& server : *servers_) {
        RedisOptions shard;
        shard.host = "127.0.0.1";
        shard.port = server.port();
        options.shards.push_back(std::make_shared<const RedisOptions>(shard));
      }
    }
    tier_ = make_redis_l2(options, clock_);
    other_ = make_redis_l2(options, clock_);
  }

  std::unique_ptr<std::array<testing::RedisServer, 3>> servers_;
  base::SystemClock clock_;
  std::unique_ptr<L2> tier_;
  std::unique_ptr<L2> other_;
};

TEST_P(SpreadTagsTest, AnInvalidationEndsWhatHasTheTagOnAllServers) {
  const std::vector<std::string> keys = testing::numbered("tagged", 60);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(store_tagged(*tier_, keys[i], {i % 2 == 0 ? "even" : "odd"}), Outcome::kHit);
  }
  EXPECT_EQ(testing::count_hits(*other_, keys), 60U);
  EXPECT_TRUE(invalidate(*tier_, {"odd"}).ok());
  for (L2* const each : {tier_.get(), other_.get()}) {
    CollectSink sink(keys.size());
    EXPECT_TRUE(each->fetch(views(keys), sink).ok());
    EXPECT_TRUE(sink.complete());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      EXPECT_EQ(sink.answers[i].outcome, i % 2 == 0 ? Outcome::kHit : Outcome::kExpired) << i;
    }
  }
  EXPECT_EQ(touch(*other_, keys[0], Millis(-1)), Outcome::kHit);
  EXPECT_EQ(touch(*other_, keys[1], Millis(-1)), Outcome::kExpired);
}

TEST_P(SpreadTagsTest, WhatWasBegunBeforeIsNeverServedAfter) {
  const std::uint64_t stamp = take_stamp(*tier_, {"red"});
  EXPECT_TRUE(invalidate(*other_, {"red"}).ok());
  for (const std::string& key : testing::numbered("late", 20)) {
    EXPECT_EQ(store_tagged(*tier_, key, {"red"}, stamp), Outcome::kHit);
    EXPECT_EQ(fetch(*other_, key).outcome, Outcome::kExpired);
  }
}

TEST_P(SpreadTagsTest, APatternErasesTheKeysOfAllServers) {
  const std::vector<std::string> keys = testing::numbered("pattern:", 200);
  ASSERT_EQ(testing::store_all(*tier_, keys), 200U);
  ASSERT_EQ(testing::store_all(*tier_, {"patterns"}), 1U);
  std::vector<std::string> erased;
  EXPECT_TRUE(erase_matching(*tier_, "pattern:*", erased).ok());
  EXPECT_EQ(erased.size(), 200U);
  EXPECT_EQ(testing::count_hits(*other_, keys), 0U);
  EXPECT_EQ(testing::count_hits(*other_, {"patterns"}), 1U);
}

INSTANTIATE_TEST_SUITE_P(, SpreadTagsTest,
                         ::testing::Values(Spreading::kShards, Spreading::kCluster),
                         [](const auto& tested) {
                           return tested.param == Spreading::kShards ? "Shards" : "Cluster";
                         });

}  // namespace
}  // namespace vcache::l2
