#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "l2/redis_l2.hpp"
#include "support/cluster_calls.hpp"
#include "support/poll_until.hpp"

namespace vcache::l2 {
namespace {

using base::Millis;
using std::chrono::steady_clock;
using testing::count_hits;
using testing::fetch;
using testing::key_on;
using testing::numbered;
using testing::options_for;
using testing::poll_until;
using testing::store;
using testing::store_all;

constexpr std::size_t kKeys = 120;

class ClusterFaultsTest : public ::testing::Test {
 protected:
  base::SystemClock clock_;
};

// A promoted replica serves what it has as soon as the cluster says that all is well.
TEST_F(ClusterFaultsTest, AFailoverIsFollowedWithinASecond) {
  testing::RedisCluster cluster;
  RedisOptions options = options_for(cluster);
  options.timeout = Millis(250);
  const auto tier = make_redis_l2(options, clock_);
  const std::vector<std::string> keys = numbered("failover", kKeys);
  ASSERT_TRUE(poll_until([&] { return store_all(*tier, keys) == kKeys; }));
  ASSERT_TRUE(poll_until([&] { return cluster.replica_of(0).has_all_of(cluster.node(0)); }));
  cluster.node(0).kill();
  ASSERT_TRUE(poll_until([&] {
    (void)count_hits(*tier, keys);  // somebody goes on asking meanwhile
    return cluster.is_well(1) && cluster.is_well(2) &&
           cluster.replica_of(0).call({"ROLE"}).starts_with("master");
  }));
  const auto well = steady_clock::now();
  ASSERT_TRUE(poll_until([&] { return count_hits(*tier, keys) == kKeys; }));
  ASSERT_TRUE(poll_until([&] { return store_all(*tier, keys) == kKeys; }));
  EXPECT_LE(steady_clock::now() - well, std::chrono::seconds(1));
}

TEST_F(ClusterFaultsTest, WithoutOnePrimaryOnlyItsKeysMiss) {
  testing::RedisCluster cluster(3, false, {"--cluster-require-full-coverage", "no"});
  RedisOptions options = options_for(cluster);
  options.timeout = Millis(500);
  const auto tier = make_redis_l2(options, clock_);
  std::vector<std::string> lost;
  std::vector<std::string> kept;
  ASSERT_TRUE(poll_until([&] { return store(*tier, "k", "v") == Outcome::kHit; }));
  const std::size_t own = cluster.first_owner(cluster::key_slot("vcache", ""));
  const std::size_t dead = (own + 1) % 3;
  for (const std::string& key : numbered("dead", kKeys)) {
    (cluster.first_owner(testing::slot_of(key)) == dead ? lost : kept).push_back(key);
  }
  ASSERT_EQ(store_all(*tier, lost), lost.size());
  ASSERT_EQ(store_all(*tier, kept), kept.size());
  std::vector<std::string> all = lost;
  all.insert(all.end(), kept.begin(), kept.end());
  cluster.node(dead).freeze();
  EXPECT_EQ(count_hits(*tier, all), kept.size());
  cluster.node(dead).kill();
  for (int i = 0; i < 50; ++i) ASSERT_EQ(count_hits(*tier, all), kept.size());
  EXPECT_EQ(store_all(*tier, all), kept.size());
}

TEST_F(ClusterFaultsTest, KeysAreServedByTheLastGenerationKnownWhileItsServerIsAway) {
  testing::RedisCluster cluster(3, false, {"--cluster-require-full-coverage", "no"});
  const auto tier = make_redis_l2(options_for(cluster), clock_);
  const std::size_t own = cluster.first_owner(cluster::key_slot("vcache", ""));
  const std::string key = key_on(cluster, (own + 1) % 3, "other");
  ASSERT_TRUE(poll_until([&] { return store(*tier, key, "v") == Outcome::kHit; }));
  cluster.node(own).kill();
  EXPECT_EQ(fetch(*tier, key).payload, "v");
  EXPECT_EQ(store(*tier, key, "w"), Outcome::kHit);
  EXPECT_EQ(fetch(*tier, key).payload, "w");
}

class ReplicasTest : public ::testing::Test {
 protected:
  static std::uint64_t reads_of(testing::RedisServer& server) {
    const std::string info = server.call({"INFO", "commandstats"});
    const std::string name = "cmdstat_mget:calls=";
    const std::size_t at = info.find(name);
    return at == std::string::npos ? 0 : std::stoull(info.substr(at + name.size()));
  }
  RedisOptions options() {
    RedisOptions out = options_for(cluster_);
    out.read_replicas = true;
    return out;
  }
  // What primary 1 and its replica were asked for; neither holds the generation.
  [[nodiscard]] std::uint64_t primary_reads() { return reads_of(cluster_.node(kOther)); }
  [[nodiscard]] std::uint64_t replica_reads() { return reads_of(cluster_.replica_of(kOther)); }

  testing::RedisCluster cluster_;
  const std::size_t kOther = (cluster_.first_owner(cluster::key_slot("vcache", "")) + 1) % 3;
  base::SystemClock clock_;
  const std::string key_ = key_on(cluster_, kOther, "replica");
};

TEST_F(ReplicasTest, AReplicaThatKeepsUpIsReadButNotForWhatThisProcessWrote) {
  const auto writer = make_redis_l2(options(), clock_);
  const auto reader = make_redis_l2(options(), clock_);
  ASSERT_TRUE(poll_until([&] { return store(*writer, key_, "v") == Outcome::kHit; }));
  ASSERT_TRUE(poll_until([&] {
    EXPECT_NE(fetch(*reader, key_).outcome, Outcome::kFailed);
    return replica_reads() > 0;
  }));
  ASSERT_EQ(store(*writer, key_, "w"), Outcome::kHit);
  const std::uint64_t before = replica_reads();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(fetch(*writer, key_).payload, "w");
  EXPECT_EQ(replica_reads(), before);
  ASSERT_TRUE(
      poll_until([&] { return cluster_.replica_of(kOther).has_all_of(cluster_.node(kOther)); }));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(fetch(*reader, key_).payload, "w");
  EXPECT_GT(replica_reads(), before);
}

TEST_F(ReplicasTest, AReplicaThatLagsIsNotRead) {
  const auto writer = make_redis_l2(options(), clock_);
  const auto reader = make_redis_l2(options(), clock_);
  ASSERT_TRUE(poll_until([&] { return store(*writer, key_, "0") == Outcome::kHit; }));
  ASSERT_TRUE(poll_until([&] {
    (void)fetch(*reader, key_);
    return replica_reads() > 0;
  }));
  // Takes no more changes, but goes on answering.
  cluster_.node(kOther).call({"CLIENT", "KILL", "TYPE", "replica"});
  cluster_.replica_of(kOther).call({"CONFIG", "SET", "masterauth", "wrong"});
  cluster_.node(kOther).call({"CONFIG", "SET", "requirepass", "x"});
  cluster_.node(kOther).use_password("x");
  cluster_.node(kOther).call({"CLIENT", "KILL", "TYPE", "replica"});
  const std::uint64_t seen = replica_reads();
  ASSERT_TRUE(poll_until([&] {
    const std::uint64_t last = replica_reads();
    (void)fetch(*reader, key_);
    return replica_reads() == last;
  }));
  EXPECT_GE(replica_reads(), seen);
}

}  // namespace
}  // namespace vcache::l2
