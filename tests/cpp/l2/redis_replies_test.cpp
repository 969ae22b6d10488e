#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "cpp/l2/redis_fixture.hpp"
#include "support/least_user.hpp"

// The error replies of a real server: each a miss or a skip, counted by its kind, with the right
// effect on the breaker.
namespace vcache::l2 {
namespace {

using base::Millis;
using testing::erase;
using testing::fetch;
using testing::poll_until;
using testing::store;
using testing::touch;

class RedisRepliesTest : public RedisFixture {
 protected:
  // Asks until the server answers with an error of that kind; the outcome then.
  Outcome fetch_until(L2& tier, const std::string& kind) {
    Outcome outcome = Outcome::kHit;
    EXPECT_TRUE(poll_until([&] {
      outcome = fetch(tier, "k").outcome;
      return errors(tier, kind) > 0;
    })) << kind;
    return outcome;
  }
  void expect_well(L2& tier) { EXPECT_EQ(tier.status(false).breaker, "closed"); }
};

TEST_F(RedisRepliesTest, OutOfMemoryStopsWritesForASecond) {
  const auto tier = connect();
  store(*tier, "k", "x");
  server_.call({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_EQ(store(*tier, "k2", "y"), Outcome::kFailed);
  EXPECT_EQ(errors(*tier, "oom"), 1U);
  EXPECT_EQ(store(*tier, "k2", "y"), Outcome::kSkipped);
  EXPECT_EQ(errors(*tier, "oom"), 1U) << "not asked again";
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kHit) << "reads go on";
  expect_well(*tier);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(store(*tier, "k2", "y"), Outcome::kFailed);
  server_.call({"CONFIG", "SET", "maxmemory", "0"});
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(store(*tier, "k2", "y"), Outcome::kHit);
}

TEST_F(RedisRepliesTest, AReplicaTakesNoWrites) {
  const auto tier = connect();
  store(*tier, "k", "x");
  server_.call({"REPLICAOF", "127.0.0.1", "1"});
  EXPECT_EQ(store(*tier, "k", "y"), Outcome::kFailed);
  EXPECT_EQ(errors(*tier, "readonly"), 1U);
  EXPECT_EQ(fetch(*tier, "k").payload, "x");
  expect_well(*tier);
  server_.call({"CONFIG", "SET", "replica-serve-stale-data", "no"});
  EXPECT_EQ(fetch_until(*tier, "masterdown"), Outcome::kFailed);
  server_.call({"REPLICAOF", "NO", "ONE"});
  EXPECT_EQ(store(*tier, "k", "y"), Outcome::kHit);
}

TEST_F(RedisRepliesTest, ReadOnlyLeadsToNewConnectionsButNotToAStorm) {
  const auto tier = connect();
  store(*tier, "k", "x");
  server_.call({"REPLICAOF", "127.0.0.1", "1"});
  server_.call({"CONFIG", "RESETSTAT"});
  for (int i = 0; i < 50; ++i) EXPECT_EQ(store(*tier, "k", "y"), Outcome::kFailed);
  const std::string stats = server_.call({"INFO", "stats"});
  const std::string name = "total_connections_received:";
  const int made = std::stoi(stats.substr(stats.find(name) + name.size()));
  EXPECT_GE(made, 1);
  EXPECT_LE(made, 3) << "one by us, one or two by this test";
}

TEST_F(RedisRepliesTest, TooFewReplicas) {
  const auto tier = connect();
  store(*tier, "k", "x");
  server_.call({"CONFIG", "SET", "min-replicas-to-write", "1"});
  EXPECT_EQ(store(*tier, "k", "y"), Outcome::kFailed);
  EXPECT_EQ(errors(*tier, "noreplicas"), 1U);
  EXPECT_EQ(fetch(*tier, "k").payload, "x");
  expect_well(*tier);
}

TEST_F(RedisRepliesTest, SnapshotsFail) {
  const auto tier = connect();
  store(*tier, "k", "x");
  const std::filesystem::path folder = std::filesystem::path(server_.socket()).parent_path();
  std::filesystem::create_directory(folder / "dump.rdb");
  server_.call({"CONFIG", "SET", "save", "1 1"});
  server_.call({"SET", "dirty", "1"});
  EXPECT_TRUE(poll_until([&] {
    (void)store(*tier, "k", "y");
    return errors(*tier, "misconf") > 0;
  }));
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kHit);
  expect_well(*tier);
}

TEST_F(RedisRepliesTest, Loading) {
  const auto tier = connect();
  store(*tier, "k", "x");
  server_.call({"DEBUG", "POPULATE", "20000"});
  server_.call({"CONFIG", "SET", "key-load-delay", "50"});
  server_.call({"CONFIG", "SET", "loading-process-events-interval-bytes", "1024"});
  std::jthread reload([&] { server_.call({"DEBUG", "RELOAD"}); });
  EXPECT_EQ(fetch_until(*tier, "loading"), Outcome::kFailed);
  server_.call({"CONFIG", "SET", "key-load-delay", "0"});
  reload.join();
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kHit);
}

TEST_F(RedisRepliesTest, LoadingOpensTheBreaker) {
  const auto tier = connect();
  store(*tier, "k", "x");
  server_.call({"REPLICAOF", "127.0.0.1", "1"});
  server_.call({"CONFIG", "SET", "replica-serve-stale-data", "no"});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kFailed);
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped);
  EXPECT_EQ(tier->status(false).breaker, "open");
}

TEST_F(RedisRepliesTest, BusyWithAScript) {
  const auto tier = connect();
  store(*tier, "k", "x");
  server_.call({"CONFIG", "SET", "busy-reply-threshold", "50"});
  std::jthread script([&] { server_.call({"EVAL", "while true do end", "0"}); });
  EXPECT_EQ(fetch_until(*tier, "server_busy"), Outcome::kFailed);
  server_.call({"SCRIPT", "KILL"});
  script.join();
  EXPECT_TRUE(poll_until([&] { return fetch(*tier, "k").outcome == Outcome::kHit; }));
}

TEST_F(RedisRepliesTest, PasswordsRightWrongAndMissing) {
  server_.call({"CONFIG", "SET", "requirepass", "s3cret"});
  server_.use_password("s3cret");
  RedisOptions with = options();
  with.password = "s3cret";
  const auto right = connect(with);
  EXPECT_EQ(store(*right, "k", "x"), Outcome::kHit);
  with.password = "canary";
  const auto wrong = connect(with);
  const auto missing = connect();
  for (L2* tier : {wrong.get(), missing.get()}) {
    const std::vector<std::string_view> keys = {"k"};
    testing::CollectSink sink(1);
    const base::Error error = tier->fetch(keys, sink);
    EXPECT_EQ(error.code, base::ErrorCode::kAuth);
    EXPECT_EQ(error.detail.find("canary"), std::string::npos);
    EXPECT_NE(sink.answers[0].outcome, Outcome::kHit);
    EXPECT_EQ(errors(*tier, "auth"), 1U);
    EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped) << "no retries: accounts get locked";
    EXPECT_EQ(errors(*tier, "auth"), 1U);
  }
  clock_.advance(std::chrono::seconds(29));
  EXPECT_EQ(fetch(*missing, "k").outcome, Outcome::kSkipped);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_TRUE(poll_until([&] { return errors(*missing, "auth") == 2; })) << "a probe every 30 s";
  EXPECT_EQ(fetch(*missing, "k").outcome, Outcome::kSkipped);
}

TEST_F(RedisRepliesTest, APasswordNobodyAskedForIsRefused) {
  RedisOptions with = options();
  with.password = "unneeded";
  const auto tier = connect(with);
  EXPECT_NE(fetch(*tier, "k").outcome, Outcome::kHit);
  EXPECT_EQ(errors(*tier, "auth"), 1U);
}

using R38Test = RedisRepliesTest;

TEST_F(R38Test, AUserWithOnlyTheRightsWeNeed) {
  ASSERT_EQ(server_.call(testing::least_user("app", "pw", "ns")), "OK");
  RedisOptions with = options();
  with.username = "app";
  with.password = "pw";
  with.db = 1;
  const auto tier = connect(with);
  EXPECT_EQ(store(*tier, "k", "x"), Outcome::kHit);
  EXPECT_EQ(fetch(*tier, "k").payload, "x");
  EXPECT_EQ(touch(*tier, "k", Millis(5000)), Outcome::kHit);
  EXPECT_LE(fetch(*tier, "k").remaining, Millis(5000));
  EXPECT_EQ(touch(*tier, "k", Millis(0)), Outcome::kHit);
  EXPECT_EQ(erase(*tier, "k"), Outcome::kHit);
  const testing::Tags tags = {"red"};
  EXPECT_EQ(testing::store_tagged(*tier, "t", tags), Outcome::kHit);
  EXPECT_EQ(fetch(*tier, "t").payload, "t");
  EXPECT_TRUE(tier->invalidate_tags(tags).ok());
  EXPECT_EQ(fetch(*tier, "t").outcome, Outcome::kExpired);
  EXPECT_EQ(store(*tier, "user:1", "x"), Outcome::kHit);
  std::vector<std::string> erased;
  L2::Progress progress;
  EXPECT_TRUE(tier->erase_matching("user:*", erased, progress).ok());
  EXPECT_EQ(erased, std::vector<std::string>{"user:1"});
  EXPECT_TRUE(tier->clear().ok());
  EXPECT_EQ(tier->status(true).outcome, Outcome::kHit);
  EXPECT_TRUE(tier->status(false).errors.empty());
}

// Each right taken away alone: its own call degrades, nothing else does, nothing is retried.
TEST_F(R38Test, EachMissingRightDegradesAlone) {
  for (const char* right : {"mget", "set", "unlink", "getrange", "pexpire", "persist", "ping",
                            "time", "info", "dbsize", "watch", "multi", "exec"}) {
    server_.call({"ACL", "SETUSER", "app", "reset", "on", ">pw", "allkeys", "+@all",
                  std::string("-") + right});
    RedisOptions with = options();
    with.username = "app";
    with.password = "pw";
    const auto tier = connect(with);
    const std::string name = right;
    const bool stored = store(*tier, "k", "x") == Outcome::kHit;
    EXPECT_EQ(stored, name != "set") << right;
    if (name != "mget" && name != "set") {
      EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kHit) << right;
    }
    (void)touch(*tier, "k", Millis(5000));
    if (name == "watch" || name == "multi" || name == "exec") {
      EXPECT_GT(std::stoi(server_.call({"PTTL", "ns:k"})), 0) << "as without the header";
      EXPECT_EQ(fetch(*tier, "k").payload, "x") << right;
    }
    (void)touch(*tier, "k", Millis(0));
    (void)touch(*tier, "k", Millis(-1));
    EXPECT_EQ(tier->status(true).outcome == Outcome::kHit, name != "ping") << right;
    if (name == "getrange") {
      EXPECT_EQ(erase(*tier, "k"), Outcome::kHit);
    }
    (void)erase(*tier, "k");
    EXPECT_EQ(errors(*tier, "noperm") > 0, true) << right;
    expect_well(*tier);
  }
}

TEST_F(RedisRepliesTest, TooManyClients) {
  RedisOptions with = options();
  with.pool_size = 8;
  const auto tier = connect(with);
  const auto occupant = connect();
  ASSERT_EQ(store(*occupant, "k", "x"), Outcome::kHit);
  server_.call({"CONFIG", "SET", "maxclients", "1"});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped);
  EXPECT_EQ(errors(*tier, "max_clients"), 5U);
  EXPECT_EQ(tier->status(false).breaker, "open");
  EXPECT_EQ(fetch(*occupant, "k").outcome, Outcome::kHit);
}

TEST(RedisClusterReplyTest, AClusterNodeWithoutSlotsIsAMiss) {
  const testing::FakeClock clock;
  const testing::RedisServer server({"--cluster-enabled", "yes"});
  RedisOptions options;
  options.port = server.port();
  options.namespace_name = "ns";
  options.timeout = Millis(2000);
  const auto tier = make_redis_l2(options, clock);
  EXPECT_NE(fetch(*tier, "k").outcome, Outcome::kHit);
  EXPECT_NE(store(*tier, "k", "x"), Outcome::kHit);
  const Status status = tier->status(false);
  EXPECT_EQ(status.errors.count("cluster"), 1U) << ::testing::PrintToString(status.errors);
}

}  // namespace
}  // namespace vcache::l2
