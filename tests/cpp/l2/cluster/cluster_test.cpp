#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "l2/redis_l2.hpp"
#include "support/cluster_calls.hpp"
#include "support/poll_until.hpp"

namespace vcache::l2 {
namespace {

using base::Millis;
using testing::CollectSink;
using testing::erase;
using testing::fetch;
using testing::key_on;
using testing::numbered;
using testing::options_for;
using testing::poll_until;
using testing::slot_of;
using testing::store;
using testing::store_all;
using testing::touch;
using testing::views;

constexpr std::size_t kKeys = 200;

// One cluster for all tests of this file that leave it as they found it.
testing::RedisCluster& shared_cluster() {
  static testing::RedisCluster cluster;
  return cluster;
}

class ClusterTest : public ::testing::Test {
 protected:
  std::unique_ptr<L2> make() { return make_redis_l2(options_for(cluster_), clock_); }

  testing::RedisCluster& cluster_ = shared_cluster();
  base::SystemClock clock_;
  std::unique_ptr<L2> tier_ = make();
};

TEST_F(ClusterTest, ABatchIsSplitByNodeAndCollected) {
  const std::vector<std::string> keys = numbered("split", kKeys);
  EXPECT_EQ(store_all(*tier_, keys), kKeys);
  CollectSink sink(kKeys);
  EXPECT_TRUE(tier_->fetch(views(keys), sink).ok());
  EXPECT_TRUE(sink.complete());
  for (std::size_t i = 0; i < kKeys; ++i) EXPECT_EQ(sink.answers[i].payload, keys[i]);
  EXPECT_TRUE(tier_->status(false).errors.empty());
}

TEST_F(ClusterTest, KeysLieWhereTheClusterHasThemWhateverBracesTheyHold) {
  for (const std::string key : {"a", "{tag}b", "{}c", "}{", "{", "x{y}z{u}"}) {
    EXPECT_EQ(store(*tier_, key, "v"), Outcome::kHit) << key;
    const std::string full = "{}vcache:" + key;
    EXPECT_EQ(cluster_.node(0).call({"CLUSTER", "KEYSLOT", full}), std::to_string(slot_of(key)));
    EXPECT_EQ(fetch(*tier_, key).payload, "v");
  }
  EXPECT_NE(slot_of("{tag}b"), slot_of("{tag}c"));
}

TEST_F(ClusterTest, NothingIsServedAfterAClearByAnotherProcess) {
  const auto other = make();
  const std::vector<std::string> keys = numbered("clear", kKeys);
  ASSERT_EQ(store_all(*tier_, keys), kKeys);
  ASSERT_TRUE(other->clear().ok());
  CollectSink sink(kKeys);
  EXPECT_TRUE(tier_->fetch(views(keys), sink).ok());
  for (const CollectSink::Answer& answer : sink.answers) {
    EXPECT_EQ(answer.outcome, Outcome::kExpired);
  }
}

TEST_F(ClusterTest, NothingIsServedAfterAClearByThisProcess) {
  const std::vector<std::string> keys = numbered("own clear", kKeys);
  ASSERT_EQ(store_all(*tier_, keys), kKeys);
  ASSERT_EQ(testing::count_hits(*tier_, keys), kKeys);
  ASSERT_TRUE(tier_->clear().ok());
  EXPECT_EQ(testing::count_hits(*tier_, keys), 0U);
}

TEST_F(ClusterTest, WhatIsStoredAfterAClearByAnotherProcessIsServedAtOnce) {
  const auto other = make();
  const std::vector<std::string> keys = numbered("again", kKeys);
  ASSERT_EQ(store_all(*tier_, keys), kKeys);
  ASSERT_TRUE(other->clear().ok());
  ASSERT_EQ(store_all(*tier_, keys), kKeys);  // with the old generation at first
  CollectSink sink(kKeys);
  EXPECT_TRUE(other->fetch(views(keys), sink).ok());
  EXPECT_EQ(sink.count(Outcome::kHit), kKeys);
  ASSERT_TRUE(other->clear().ok());
  ASSERT_EQ(store_all(*other, keys), kKeys);
  CollectSink late(kKeys);
  EXPECT_TRUE(tier_->fetch(views(keys), late).ok());  // judged by the old generation at first
  EXPECT_EQ(late.count(Outcome::kHit), kKeys);
}

TEST_F(ClusterTest, EraseAndTouchReachTheNodeOfTheKey) {
  const std::vector<std::string> keys = numbered("erase", 20);
  ASSERT_EQ(store_all(*tier_, keys), keys.size());
  EXPECT_EQ(touch(*tier_, keys[0], Millis(5000)), Outcome::kHit);
  EXPECT_LE(fetch(*tier_, keys[0]).remaining, Millis(5000));
  std::vector<Outcome> outcomes(keys.size(), Outcome::kFailed);
  EXPECT_TRUE(tier_->erase(views(keys), outcomes).ok());
  EXPECT_EQ(std::ranges::count(outcomes, Outcome::kHit), 20);
  EXPECT_EQ(touch(*tier_, keys[0], Millis(-1)), Outcome::kMiss);
}

TEST_F(ClusterTest, AMovedSlotIsFollowedAndRemembered) {
  const std::string key = key_on(cluster_, 0, "moved");
  ASSERT_EQ(store(*tier_, key, "v"), Outcome::kHit);
  cluster_.move_slot(slot_of(key), 0, 1);
  EXPECT_EQ(fetch(*tier_, key).payload, "v");
  EXPECT_EQ(store(*tier_, key, "w"), Outcome::kHit);
  EXPECT_EQ(fetch(*tier_, key).payload, "w");
  const Status status = tier_->status(false);
  EXPECT_EQ(status.cluster.at("moved"), 1U);
  EXPECT_TRUE(status.errors.empty());
  EXPECT_TRUE(poll_until([&] { return tier_->status(false).cluster.at("looks") == 2; }));
  cluster_.move_slot(slot_of(key), 1, 0);
}

TEST_F(ClusterTest, AKeyOfASlotOnTheMoveIsAskedForWhereItIs) {
  const std::string key = key_on(cluster_, 0, "asked");
  const int slot = slot_of(key);
  ASSERT_EQ(store(*tier_, key, "v"), Outcome::kHit);
  cluster_.begin_move(slot, 0, 2);
  EXPECT_EQ(fetch(*tier_, key).payload, "v");  // has not moved yet
  cluster_.move_keys(slot, 0, 2);
  EXPECT_EQ(fetch(*tier_, key).payload, "v");
  EXPECT_EQ(store(*tier_, key, "w"), Outcome::kHit);
  EXPECT_EQ(fetch(*tier_, key).payload, "w");
  EXPECT_EQ(touch(*tier_, key, Millis(5000)), Outcome::kHit);
  EXPECT_LE(fetch(*tier_, key).remaining, Millis(5000));
  EXPECT_EQ(erase(*tier_, key), Outcome::kHit);
  EXPECT_EQ(fetch(*tier_, key).outcome, Outcome::kMiss);
  const Status status = tier_->status(false);
  EXPECT_GT(status.cluster.at("asked"), 0U);
  EXPECT_EQ(status.cluster.at("moved"), 0U);
  EXPECT_EQ(status.errors, decltype(status.errors)());
  cluster_.end_move(slot, 2);
  cluster_.move_slot(slot, 2, 0);
}

TEST_F(ClusterTest, ManyThreadsLookAtTheClusterOneAtATime) {
  constexpr int kThreads = 200;
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<int> hits{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        const std::string key = "thread" + std::to_string(i);
        for (int turn = 0; turn < 5; ++turn) {
          if (store(*tier_, key, "v") == Outcome::kHit) ++hits;
        }
      });
    }
  }
  const auto tenths = (std::chrono::steady_clock::now() - begin) / std::chrono::milliseconds(100);
  EXPECT_GT(hits.load(), 0);
  EXPECT_LE(tier_->status(false).cluster.at("looks"), static_cast<std::uint64_t>(tenths) + 1);
}

TEST_F(ClusterTest, OneSeedIsEnoughAndDeadOnesDoNoHarm) {
  RedisOptions options = options_for(cluster_);
  options.seeds.resize(1);
  for (int i = 0; i < 3; ++i) options.seeds.push_back({.host = "127.0.0.1", .port = 1});
  const auto tier = make_redis_l2(options, clock_);
  EXPECT_EQ(store_all(*tier, numbered("seed", kKeys)), kKeys);
}

TEST_F(ClusterTest, WithoutAnyNodeEverythingIsSkipped) {
  RedisOptions options = options_for(cluster_);
  options.seeds = {{.host = "127.0.0.1", .port = 1}};
  const auto tier = make_redis_l2(options, clock_);
  EXPECT_EQ(store(*tier, "k", "v"), Outcome::kSkipped);
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped);
  EXPECT_EQ(erase(*tier, "k"), Outcome::kSkipped);
  EXPECT_EQ(touch(*tier, "k", Millis(1)), Outcome::kSkipped);
  EXPECT_FALSE(tier->clear().ok());
}

TEST_F(ClusterTest, StatusAddsUpWhatTheServersTell) {
  ASSERT_EQ(store_all(*tier_, numbered("status", kKeys)), kKeys);
  const Status status = tier_->status(true);
  EXPECT_EQ(status.outcome, Outcome::kHit);
  EXPECT_EQ(status.breaker, "closed");
  EXPECT_GE(status.server.at("keys"), static_cast<double>(kKeys));
}

}  // namespace
}  // namespace vcache::l2
