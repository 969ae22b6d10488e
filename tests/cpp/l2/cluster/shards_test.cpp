#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "l2/cluster/sharded.hpp"
#include "l2/redis_l2.hpp"
#include "support/cluster_calls.hpp"
#include "support/packed_values.hpp"
#include "support/redis_server.hpp"

namespace vcache::l2 {
namespace {

using base::Millis;
using testing::count_hits;
using testing::fetch;
using testing::numbered;
using testing::store;
using testing::store_all;

constexpr std::size_t kKeys = 300;

class ShardsTest : public ::testing::Test {
 protected:
  RedisOptions options(std::vector<std::size_t> order = {0, 1, 2}) {
    RedisOptions out;
    out.layout = Layout::kShards;
    out.timeout = Millis(1000);
    for (const std::size_t i : order) {
      RedisOptions shard;
      shard.host = "127.0.0.1";
      shard.port = servers_.at(i).port();
      out.shards.push_back(std::make_shared<const RedisOptions>(shard));
    }
    return out;
  }
  std::size_t keys_on(std::size_t server) {
    return std::stoul(servers_.at(server).call({"DBSIZE"}));
  }

  std::array<testing::RedisServer, 3> servers_;
  base::SystemClock clock_;
  const std::vector<std::string> keys_ = numbered("shard", kKeys);
};

TEST_F(ShardsTest, KeysAreSpreadEvenlyAndFoundInAnyOrderOfTheList) {
  const auto tier = make_redis_l2(options(), clock_);
  EXPECT_EQ(store_all(*tier, keys_), kKeys);
  EXPECT_EQ(count_hits(*tier, keys_), kKeys);
  for (std::size_t i = 0; i < servers_.size(); ++i) EXPECT_GT(keys_on(i), kKeys / 5) << i;
  EXPECT_EQ(count_hits(*make_redis_l2(options({2, 0, 1}), clock_), keys_), kKeys);
}

TEST_F(ShardsTest, WhatIsTheSameForAllIsSoOnEach) {
  RedisOptions all = options();
  all.timeout = Millis(11);
  all.connect_timeout = Millis(12);
  all.namespace_name = "other";
  all.max_value = 13;
  all.grace = Millis(14);
  all.packing.compression = codec::Compression::kZstd;
  ServerFacts facts(clock_);
  ErrorCounters errors;
  base::Keeper keeper;
  News news;
  cluster::NodeTable nodes(
      all, {.clock = clock_, .facts = facts, .errors = errors, .keeper = keeper, .news = news});
  const cluster::Sharded sharded(all, nodes);
  ASSERT_EQ(nodes.size(), 3U);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const RedisOptions& of_node = nodes[i].options();
    EXPECT_EQ(of_node.port, servers_.at(i).port());
    EXPECT_EQ(of_node.timeout, all.timeout);
    EXPECT_EQ(of_node.connect_timeout, all.connect_timeout);
    EXPECT_EQ(of_node.namespace_name, all.namespace_name);
    EXPECT_EQ(of_node.max_value, all.max_value);
    EXPECT_EQ(of_node.grace, all.grace);
    EXPECT_EQ(of_node.packing.compression, all.packing.compression);
  }
}

TEST_F(ShardsTest, WhatIsStoredInAnotherFormComesBackFromEachServer) {
  RedisOptions packed = options();
  packed.packing = {.compression = codec::Compression::kZstd,
                    .keys = codec::testing::keys_of({"a"})};
  const auto tier = make_redis_l2(packed, clock_);
  std::vector<std::string> texts;
  std::vector<Write> writes;
  for (const std::string& key : keys_) texts.push_back(key + std::string(texts.size() * 20, 'x'));
  for (std::size_t i = 0; i < kKeys; ++i) {
    writes.push_back({.key = keys_[i], .value = testing::object_view(texts[i])});
  }
  std::vector<Outcome> outcomes(kKeys);
  testing::SpanWrites source(writes);
  EXPECT_TRUE(tier->store(source, outcomes).ok());
  testing::CollectSink sink(kKeys);
  EXPECT_TRUE(tier->fetch(testing::views(keys_), sink).ok());
  for (std::size_t i = 0; i < kKeys; ++i) EXPECT_EQ(sink.answers[i].payload, texts[i]);
}

TEST_F(ShardsTest, AServerLessMovesOnlyItsShare) {
  ASSERT_EQ(store_all(*make_redis_l2(options(), clock_), keys_), kKeys);
  std::size_t own = 0;
  while (servers_.at(own).call({"EXISTS", "vcache!gen"}) == "0") ++own;
  const auto fewer = make_redis_l2(options({own, (own + 1) % 3}), clock_);
  const std::size_t away = kKeys - count_hits(*fewer, keys_);
  EXPECT_NEAR(static_cast<double>(away), kKeys / 3.0, kKeys / 8.0);
}

TEST_F(ShardsTest, WithoutOneServerOnlyItsKeysMiss) {
  const auto tier = make_redis_l2(options(), clock_);
  ASSERT_EQ(store_all(*tier, keys_), kKeys);
  std::size_t dead = 0;
  while (servers_.at(dead).call({"EXISTS", "vcache!gen"}) == "1") ++dead;
  const std::size_t kept = kKeys - keys_on(dead);
  servers_.at(dead).kill();
  for (int i = 0; i < 20; ++i) ASSERT_EQ(count_hits(*tier, keys_), kept);
  EXPECT_EQ(store_all(*tier, keys_), kept);
  EXPECT_EQ(tier->status(false).breaker, "open");
  servers_.at(dead).start();
  EXPECT_TRUE(testing::poll_until([&] { return store_all(*tier, keys_) == kKeys; }));
}

TEST_F(ShardsTest, AClearEndsTheKeysOfAllServers) {
  const auto tier = make_redis_l2(options(), clock_);
  const auto other = make_redis_l2(options(), clock_);
  ASSERT_EQ(store_all(*tier, keys_), kKeys);
  ASSERT_TRUE(other->clear().ok());
  EXPECT_EQ(count_hits(*tier, keys_), 0U);
  EXPECT_EQ(count_hits(*other, keys_), 0U);
}

TEST_F(ShardsTest, APatternErasesTheKeysOfAllDatabasesOfOneServer) {
  RedisOptions with = options({0, 0, 0});
  for (int db = 0; std::shared_ptr<const RedisOptions>& shard : with.shards) {
    RedisOptions of_db = *shard;
    of_db.db = db++;
    shard = std::make_shared<const RedisOptions>(of_db);
  }
  const auto tier = make_redis_l2(with, clock_);
  ASSERT_EQ(store_all(*tier, keys_), kKeys);
  std::vector<std::string> erased;
  L2::Progress progress;
  ASSERT_TRUE(tier->erase_matching("*", erased, progress).ok());
  EXPECT_EQ(erased.size(), kKeys);
  EXPECT_EQ(count_hits(*tier, keys_), 0U);
}

TEST_F(ShardsTest, AClearEndsTheKeysForWhoeverClears) {
  const auto tier = make_redis_l2(options(), clock_);
  ASSERT_EQ(store_all(*tier, keys_), kKeys);
  ASSERT_EQ(count_hits(*tier, keys_), kKeys);
  ASSERT_TRUE(tier->clear().ok());
  EXPECT_EQ(count_hits(*tier, keys_), 0U);
}

}  // namespace
}  // namespace vcache::l2
