#include "l2/tracking/links.hpp"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <thread>

#include "base/clock.hpp"
#include "cpp/l2/redis_fixture.hpp"
#include "support/cluster_calls.hpp"
#include "support/ear.hpp"
#include "support/fault_proxy.hpp"
#include "support/in_child.hpp"

namespace vcache::l2 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::erase;
using testing::poll_until;
using testing::store;

class LinksTest : public RedisFixture {
 protected:
  [[nodiscard]] RedisOptions options() const {
    RedisOptions out = RedisFixture::options();
    out.tracking = true;
    return out;
  }
  [[nodiscard]] std::unique_ptr<L2> listen(RedisOptions with) {
    return make_redis_l2(std::move(with), clock_, ear_);
  }
  // A tier whose link is up.
  [[nodiscard]] std::unique_ptr<L2> linked() {
    auto tier = listen(options());
    (void)testing::fetch(*tier, "first call");
    EXPECT_TRUE(ear_.hears("up"));
    ear_.forget();
    return tier;
  }
  // All that was changed before this call was told of when it returns.
  void settle(int round = 0) {
    const std::string last = "last:" + std::to_string(round);
    (void)server_.call({"SET", "ns:" + last, "x"});
    EXPECT_TRUE(ear_.hears("key " + last));
  }
  static std::string coherence(L2& tier) { return tier.status(false).coherence; }

  testing::Ear ear_;
};

TEST_F(LinksTest, BeginsWithTheFirstCallThatNeedsRedis) {
  const auto tier = listen(options());
  EXPECT_EQ(coherence(*tier), "down");
  (void)tier->status(false);
  EXPECT_EQ(server_.call({"CLIENT", "LIST", "TYPE", "normal"}).find("flags=B"), std::string::npos);
  EXPECT_TRUE(ear_.heard().empty());
  (void)testing::fetch(*tier, "k");
  ASSERT_TRUE(ear_.hears("up"));
  EXPECT_EQ(ear_.heard(), std::vector<std::string>{"up"}) << "what came by then is asked for";
  EXPECT_TRUE(poll_until([&] { return coherence(*tier) == "tracking"; }));
}

TEST_F(LinksTest, TellsOfChangesBelowTheNamespace) {
  const auto tier = linked();
  (void)server_.call({"SET", "ns:a", "1"});
  (void)server_.call({"SET", "other:a", "1"});
  (void)server_.call({"MSET", "ns:b:c", "1", "ns:", "1", "ns!tag:red", "1", "ns!lease:job", "1"});
  (void)server_.call({"DEL", "ns:b:c"});
  (void)server_.call({"PEXPIRE", "ns:a", "100000"});
  settle();
  EXPECT_EQ(ear_.count("key a"), 2U);
  EXPECT_EQ(ear_.count("key b:c"), 2U);
  EXPECT_EQ(ear_.count("key "), 1U);
  EXPECT_TRUE(ear_.hears("tag red")) << "once its stamp is read";
  EXPECT_EQ(ear_.count("lease job"), 1U);
  EXPECT_EQ(ear_.count("all"), 0U);
}

TEST_F(LinksTest, OwnWritesAreToldOfOnlyWhenTheyAreNotThereAnyMore) {
  const auto tier = linked();
  const auto other = connect();
  for (int i = 0; i < 200; ++i) store(*tier, "own:" + std::to_string(i), "v");
  settle(1);
  settle(2);
  EXPECT_EQ(ear_.count("key own:7"), 0U);
  EXPECT_EQ(ear_.count("all"), 0U) << "the generation is our own";
  store(*other, "own:7", "w");
  EXPECT_TRUE(ear_.hears("key own:7"));
  store(*other, "own:7", "x");
  EXPECT_TRUE(ear_.hears("key own:7", 2));
  erase(*other, "own:8");
  EXPECT_TRUE(ear_.hears("key own:8"));
  store(*tier, "own:8", "v");
  (void)testing::touch(*tier, "own:8", milliseconds(500'000));
  settle(3);
  settle(4);
  EXPECT_EQ(ear_.count("key own:8"), 1U) << "our value with another expiry";
}

TEST_F(LinksTest, AForeignWriteInTheTurnOfOurOwnIsSeen) {
  const auto tier = linked();
  const auto other = connect();
  store(*tier, "first", "v");
  for (int round = 0; round < 50; ++round) {
    const std::string key = "raced:" + std::to_string(round);
    std::array<std::thread, 2> writers;
    // Frozen, the server finds both writes when it wakes up, and pushes once.
    server_.freeze();
    writers[0] = std::thread([&] { store(*tier, key, "ours"); });
    writers[1] = std::thread([&] { store(*other, key, "theirs"); });
    server_.thaw();
    for (auto& writer : writers) writer.join();
    const auto last = testing::fetch(*other, key);
    if (last.payload == "theirs") {
      ASSERT_TRUE(ear_.hears("key " + key)) << round;
    }
  }
}

TEST_F(LinksTest, TellsOfTheGenerationAndOfAnEmptiedDatabase) {
  const auto tier = linked();
  const auto other = connect();
  store(*tier, "k", "v");
  ASSERT_TRUE(tier->clear().ok());
  settle(1);
  settle(2);
  EXPECT_EQ(ear_.count("all"), 0U) << "our own clear";
  ASSERT_TRUE(other->clear().ok());
  EXPECT_TRUE(ear_.hears("all", 1));
  (void)server_.call({"FLUSHALL"});
  EXPECT_TRUE(ear_.hears("all", 2));
  (void)server_.call({"FLUSHDB", "ASYNC"});
  EXPECT_TRUE(ear_.hears("all", 3));
}

TEST_F(LinksTest, ComesBackWhenItIsKilled) {
  const auto tier = linked();
  (void)server_.call({"CLIENT", "KILL", "TYPE", "normal"});
  ASSERT_TRUE(ear_.hears("up"));
  EXPECT_EQ(ear_.heard(), (std::vector<std::string>{"down", "gap", "down", "up"}));
  settle();
}

TEST_F(LinksTest, ComesBackWithTheServer) {
  const auto tier = linked();
  server_.kill();
  ASSERT_TRUE(ear_.hears("down"));
  EXPECT_TRUE(poll_until([&] { return coherence(*tier) == "down"; }));
  server_.start();
  ASSERT_TRUE(ear_.hears("up"));
  settle();
}

TEST_F(LinksTest, SilenceIsALostLink) {
  testing::FaultProxy proxy(server_.port());
  RedisOptions through = options();
  through.port = proxy.port();
  const auto tier = listen(through);
  (void)testing::fetch(*tier, "k");
  ASSERT_TRUE(ear_.hears("up"));
  ear_.forget();
  const auto start = std::chrono::steady_clock::now();
  proxy.black_hole = true;
  ASSERT_TRUE(ear_.hears("down"));
  EXPECT_LE(std::chrono::steady_clock::now() - start, milliseconds(3000));
  EXPECT_EQ(ear_.count("up"), 0U);
  proxy.black_hole = false;
  EXPECT_TRUE(ear_.hears("up"));
  EXPECT_GT(proxy.faults, 0U);
}

TEST_F(LinksTest, AnIdleLinkStaysUp) {
  const auto tier = linked();
  const auto start = std::chrono::steady_clock::now();
  (void)poll_until([&] { return std::chrono::steady_clock::now() - start > milliseconds(3500); });
  EXPECT_TRUE(ear_.heard().empty());
  settle();
}

TEST_F(LinksTest, WithoutRedisItIsDownAfterAMoment) {
  server_.kill();
  const auto tier = listen(options());
  const auto start = std::chrono::steady_clock::now();
  (void)testing::fetch(*tier, "k");
  ASSERT_TRUE(ear_.hears("down"));
  EXPECT_LE(std::chrono::steady_clock::now() - start, milliseconds(3000));
  server_.start();
  ASSERT_TRUE(ear_.hears("up"));
  settle();
}

TEST_F(LinksTest, IsNotThereWhereItIsRefused) {
  (void)server_.call(
      {"ACL", "SETUSER", "app", "on", ">secret", "~ns:*", "~ns!*", "+@all", "-client|tracking"});
  RedisOptions limited = options();
  limited.username = "app";
  limited.password = "secret";
  const auto tier = listen(limited);
  EXPECT_EQ(store(*tier, "k", "v"), Outcome::kHit);
  ASSERT_TRUE(ear_.hears("none"));
  EXPECT_TRUE(poll_until([&] { return coherence(*tier) == "ttl"; }));
  EXPECT_EQ(ear_.count("up"), 0U);
  EXPECT_EQ(ear_.count("down"), 0U);
}

TEST_F(LinksTest, LogsIn) {
  (void)server_.call({"ACL", "SETUSER", "app", "on", ">secret", "~ns:*", "~ns!*", "+@all"});
  RedisOptions named = options();
  named.username = "app";
  named.password = "secret";
  named.db = 3;
  const auto tier = listen(named);
  EXPECT_EQ(store(*tier, "k", "v"), Outcome::kHit);
  ASSERT_TRUE(ear_.hears("up"));
  settle();
  EXPECT_EQ(ear_.count("key k"), 0U) << "found in the database that it was written to";
}

TEST_F(LinksTest, IsNotThereWhereNobodyWantsIt) {
  RedisOptions without = options();
  without.tracking = false;
  const auto tier = listen(without);
  EXPECT_EQ(store(*tier, "k", "v"), Outcome::kHit);
  EXPECT_EQ(coherence(*tier), "off");
  EXPECT_TRUE(ear_.heard().empty());
}

TEST_F(LinksTest, ClosesAtOnceWhilePushesArrive) {
  for (int round = 0; round < 5; ++round) {
    ear_.forget();
    auto tier = linked();
    std::jthread writer([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) (void)server_.call({"SET", "ns:k", "v"});
    });
    ASSERT_TRUE(ear_.hears("key k", 3));
    const auto start = std::chrono::steady_clock::now();
    tier->close();
    EXPECT_LE(std::chrono::steady_clock::now() - start, seconds(1));
    const std::size_t heard = ear_.heard().size();
    tier.reset();
    EXPECT_EQ(ear_.heard().size(), heard) << "nothing is told after close()";
  }
}

TEST_F(LinksTest, ClosesWithinASecondWhileItConnects) {
  server_.freeze();
  RedisOptions patient = options();
  patient.connect_timeout = seconds(60);
  patient.timeout = milliseconds(50);
  auto tier = listen(patient);
  (void)testing::fetch(*tier, "k");
  const auto start = std::chrono::steady_clock::now();
  tier->close();
  tier.reset();
  EXPECT_LE(std::chrono::steady_clock::now() - start, seconds(1));
  server_.thaw();
}

TEST(LinksOfAClusterTest, TagsThatMoveAreToldOfAndAreNoErrors) {
  testing::RedisCluster cluster(2, false);
  const base::SystemClock clock;
  testing::Ear ear;
  RedisOptions options = testing::options_for(cluster);
  options.tracking = true;
  const auto tier = make_redis_l2(options, clock, ear);
  ASSERT_EQ(testing::store_tagged(*tier, "k", {"red"}), Outcome::kHit);
  ASSERT_TRUE(poll_until([&] { return tier->status(false).coherence == "tracking"; }));
  ear.forget();
  const int slot = cluster::key_slot("vcache!{vcache}tag:", "red");
  const std::size_t owner = cluster.first_owner(slot);
  cluster.move_slot(slot, owner, 1 - owner);
  EXPECT_TRUE(ear.hears("tag red"));
  EXPECT_EQ(tier->status(false).errors, decltype(Status::errors)());
  EXPECT_EQ(testing::fetch(*tier, "k").payload, "k");
}

std::size_t open_sockets() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const auto target = std::filesystem::read_symlink(entry.path(), ignored).string();
    count += target.starts_with("socket:") || target.find("eventfd") != std::string::npos ? 1 : 0;
  }
  return count;
}

TEST_F(LinksTest, AForkedChildHasNoLinkUntilItMakesItsOwn) {
  const std::size_t before = open_sockets();
  auto tier = linked();
  if (!testing::kThreadsInChildren) GTEST_SKIP();
  ASSERT_TRUE(testing::holds_in_child([&] {
    if (ear_.count("down") != 1 || ear_.count("up") != 0) return false;
    (void)testing::fetch(*tier, "k");
    if (!ear_.hears("up")) return false;
    ear_.forget();
    (void)server_.call({"SET", "ns:in child", "1"});
    if (!ear_.hears("key in child")) return false;
    tier.reset();
    return open_sockets() <= before;
  }));
  ear_.forget();
  settle();
  EXPECT_EQ(ear_.count("down"), 0U) << "the parent's link is its own";
}

}  // namespace
}  // namespace vcache::l2
