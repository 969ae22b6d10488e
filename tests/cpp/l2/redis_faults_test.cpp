#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "cpp/l2/redis_fixture.hpp"
#include "support/fault_proxy.hpp"
#include "support/in_child.hpp"
#include "support/ports.hpp"

namespace vcache::l2 {
namespace {

using base::Millis;
using testing::CollectSink;
using testing::FaultProxy;
using testing::fetch;
using testing::object_view;
using testing::poll_until;
using testing::store;
using testing::touch;
using testing::views;

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTimeout{100};
constexpr milliseconds kSlack{150};  // for a machine that is busy with other tests

template <class F>
milliseconds duration_of(F call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
}

class RedisFaultsTest : public RedisFixture {
 protected:
  [[nodiscard]] RedisOptions hasty() const {
    RedisOptions out = options();
    out.timeout = kTimeout;
    return out;
  }
  [[nodiscard]] std::unique_ptr<L2> through_proxy(Millis timeout = kTimeout) const {
    RedisOptions out = options();
    out.port = proxy_.port();
    out.timeout = timeout;
    return connect(out);
  }
  // Until the pause of an open breaker is over.
  void pass_pause() const { clock_.advance(seconds(1)); }
  // A tier whose breaker is half open: the server, back after a crash, is frozen under its probe.
  [[nodiscard]] std::unique_ptr<L2> probing(Millis timeout) {
    RedisOptions patient = options();
    patient.timeout = patient.connect_timeout = timeout;
    auto tier = connect(patient);
    server_.kill();
    for (int i = 0; i < 5; ++i) EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped);
    server_.start();
    server_.freeze();
    pass_pause();
    EXPECT_TRUE(poll_until([&] { return tier->status(false).breaker == "half_open"; }));
    return tier;
  }

  FaultProxy proxy_{server_.port()};
};

TEST_F(RedisFaultsTest, AKilledServerIsAMissAndComesBack) {
  const auto tier = connect(hasty());
  store(*tier, "k", "x");
  server_.kill();
  for (int i = 0; i < 100; ++i) {
    const Outcome outcome = fetch(*tier, "k").outcome;
    EXPECT_TRUE(outcome == Outcome::kSkipped || outcome == Outcome::kFailed);
  }
  EXPECT_EQ(tier->status(false).breaker, "open");
  EXPECT_EQ(store(*tier, "k", "x"), Outcome::kSkipped);
  EXPECT_EQ(tier->status(false).connections, 0U);
  server_.start();
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped) << "until the pause is over";
  pass_pause();
  EXPECT_TRUE(poll_until([&] { return tier->status(false).breaker == "closed"; }));
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kMiss);
  EXPECT_EQ(tier->status(false).openings, 1U);
  EXPECT_EQ(store(*tier, "k", "y"), Outcome::kHit);
  EXPECT_EQ(fetch(*tier, "k").payload, "y");
}

TEST_F(RedisFaultsTest, ARestartBetweenCallsIsNotEvenNoticed) {
  const auto tier = connect();
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(store(*tier, "k", "x"), Outcome::kHit);
    EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kHit);
    server_.kill();
    server_.start();
  }
  EXPECT_TRUE(tier->status(false).errors.empty());
}

TEST_F(RedisFaultsTest, ConnectionsClosedByTheServerAreReplaced) {
  const auto tier = connect();
  store(*tier, "k", "x");
  server_.call({"CLIENT", "KILL", "TYPE", "normal"});
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kHit);
  EXPECT_TRUE(tier->status(false).errors.empty());
}

TEST_F(RedisFaultsTest, AFrozenServerCostsTheTimeoutAFewTimesThenNothing) {
  const auto tier = connect(hasty());
  store(*tier, "k", "x");
  server_.freeze();
  for (int i = 0; i < 5; ++i) {
    const milliseconds took =
        duration_of([&] { EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kFailed); });
    EXPECT_GE(took, kTimeout);
    EXPECT_LE(took, kTimeout + kSlack);
  }
  EXPECT_EQ(errors(*tier, "timeout"), 5U);
  for (int pause = 0; pause < 5; ++pause) {
    EXPECT_LE(duration_of([&] {
                for (int i = 0; i < 1000; ++i) {
                  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped) << "no caller is a probe";
                }
              }),
              kTimeout);
    pass_pause();
    EXPECT_TRUE(poll_until([&] { return tier->status(false).breaker == "half_open"; }));
  }
  EXPECT_EQ(errors(*tier, "timeout"), 5U);
  server_.thaw();
  EXPECT_TRUE(poll_until([&] {
    pass_pause();
    return fetch(*tier, "k").payload == "x";
  }));
}

TEST_F(RedisFaultsTest, AProbeMayTakeAsLongAsACall) {
  const auto tier = probing(seconds(5));
  clock_.advance(milliseconds(4900));
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped) << "the probe may still succeed";
  server_.thaw();
  EXPECT_TRUE(poll_until([&] { return tier->status(false).breaker == "closed"; }));
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kMiss);
}

TEST_F(RedisFaultsTest, AProbeUnderWayDoesNotHoldUpTheEnd) {
  const auto tier = probing(seconds(60));
  EXPECT_LE(duration_of([&] { tier->close(); }), seconds(1));
  server_.thaw();
}

TEST_F(RedisFaultsTest, ConnectingToAFrozenServerKeepsTheDeadline) {
  RedisOptions with = hasty();
  const auto tier = connect(with);
  server_.freeze();
  EXPECT_LE(duration_of([&] { EXPECT_NE(fetch(*tier, "k").outcome, Outcome::kHit); }),
            kTimeout + kSlack);
  with.timeout = Millis(5000);
  with.connect_timeout = kTimeout;
  const auto other = connect(with);
  EXPECT_LE(duration_of([&] { EXPECT_NE(fetch(*other, "k").outcome, Outcome::kHit); }),
            kTimeout + kSlack);
  server_.thaw();
}

TEST_F(RedisFaultsTest, NobodyListensOrTheNameIsUnknown) {
  RedisOptions nobody = hasty();
  nobody.port = testing::free_port();
  const auto refused = connect(nobody);
  EXPECT_EQ(fetch(*refused, "k").outcome, Outcome::kSkipped);
  EXPECT_EQ(errors(*refused, "connect"), 1U);
  RedisOptions unknown = hasty();
  unknown.host = "no-such-host.invalid";
  const auto lost = connect(unknown);
  EXPECT_LE(duration_of([&] { EXPECT_NE(fetch(*lost, "k").outcome, Outcome::kHit); }),
            kTimeout + kSlack);
  RedisOptions missing = hasty();
  missing.unix_socket = server_.socket() + ".not";
  EXPECT_EQ(fetch(*connect(missing), "k").outcome, Outcome::kSkipped);
}

// One byte every 5 ms: each byte arrives in time, the whole does not.
TEST_F(RedisFaultsTest, DrippingKeepsTheDeadline) {
  const auto tier = through_proxy();
  const std::string value(1000, 'v');
  store(*tier, "k", value);
  proxy_.drip_millis = 5;
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(duration_of([&] { EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kFailed); }),
              kTimeout + kSlack);
  }
  EXPECT_EQ(errors(*tier, "timeout"), 3U);
  proxy_.drip_millis = 0;
  EXPECT_TRUE(poll_until([&] { return fetch(*tier, "k").payload == value; }));
  EXPECT_GT(proxy_.faults, 0U);
}

TEST_F(RedisFaultsTest, OneByteSegmentsAreOnlySlow) {
  const auto tier = through_proxy(seconds(5));
  const std::string value(3000, 'v');
  proxy_.one_byte_segments = true;
  EXPECT_EQ(store(*tier, "k", value), Outcome::kHit);
  EXPECT_EQ(fetch(*tier, "k").payload, value);
  EXPECT_GT(proxy_.faults, 0U);
}

TEST_F(RedisFaultsTest, AResetAfterAnyByteIsAFailureOrAMiss) {
  {
    store(*connect(), "k", "the payload");
  }
  for (int byte = 0; byte < 320; ++byte) {
    proxy_.cut_after = byte;
    const auto tier = through_proxy(seconds(2));
    const CollectSink::Answer answer = fetch(*tier, "k");
    EXPECT_EQ(answer.times, 1);
    if (answer.outcome == Outcome::kHit) {
      EXPECT_EQ(answer.payload, "the payload");
    }
  }
  EXPECT_GT(proxy_.faults, 200U);
  proxy_.cut_after = -1;
  EXPECT_EQ(fetch(*through_proxy(), "k").payload, "the payload");
}

TEST_F(RedisFaultsTest, AlteredRepliesNeverPass) {
  {
    store(*connect(), "k", "the payload");
  }
  int served = 0;
  for (int byte = 0; byte < 220; ++byte) {
    {
      store(*connect(), "k", "the payload");
    }
    const auto tier = through_proxy(milliseconds(30));
    (void)fetch(*tier, "unrelated");  // so that only the fetch is altered
    proxy_.flip_at = byte;
    const CollectSink::Answer answer = fetch(*tier, "k");
    proxy_.flip_at = -1;
    if (answer.outcome == Outcome::kHit) {
      EXPECT_EQ(answer.payload, "the payload") << byte;  // a flip outside the value
      ++served;
    }
  }
  EXPECT_GT(proxy_.faults, 150U);
  EXPECT_LT(served, 60);
}

TEST_F(RedisFaultsTest, DoubledRepliesAreNobodysAnswer) {
  const auto tier = through_proxy(seconds(1));
  for (int i = 0; i < 20; ++i) {
    const std::string key = "k" + std::to_string(i);
    store(*tier, key, key);
  }
  proxy_.duplicate = true;
  for (int round = 0; round < 100; ++round) {
    const std::string key = "k" + std::to_string(round % 20);
    const CollectSink::Answer answer = fetch(*tier, key);
    if (answer.outcome == Outcome::kHit) {
      EXPECT_EQ(answer.payload, key);
    }
    pass_pause();
  }
  EXPECT_GT(proxy_.faults, 0U);
}

// The reply to a call that gave up arrives later. It must not become the next caller's.
TEST_F(RedisFaultsTest, LateRepliesReachNobody) {
  RedisOptions with = options();
  with.timeout = Millis(30);
  with.pool_size = 4;
  const auto tier = connect(with);
  std::vector<std::string> keys;
  for (int i = 0; i < 50; ++i) keys.push_back("key-" + std::to_string(i));
  for (const std::string& key : keys) store(*tier, key, key);
  std::atomic<bool> done{false};
  std::atomic<int> hits{0};
  std::atomic<int> late{0};
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = t; !done; i += 7) {
          const std::string& key = keys[i % keys.size()];
          const CollectSink::Answer answer = fetch(*tier, key);
          if (answer.outcome == Outcome::kHit) (answer.payload == key ? hits : wrong)++;
          if (answer.outcome == Outcome::kFailed) ++late;
          clock_.advance(milliseconds(10));  // no breaker keeps calls away for long
        }
      });
    }
    for (int i = 0; i < 200 && late <= 20; ++i) {
      server_.call({"DEBUG", "SLEEP", "0.06"});
      EXPECT_TRUE(poll_until([&] { return tier->status(false).breaker == "closed"; }));
    }
    EXPECT_TRUE(poll_until([&] { return hits > 2000; }));
    done = true;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(late, 20);
  EXPECT_EQ(errors(*tier, "mismatch"), 0U) << "a crossed reply, caught by its fingerprint";
  EXPECT_EQ(errors(*tier, "corrupt"), 0U);
  EXPECT_EQ(errors(*tier, "protocol"), 0U);
}

TEST_F(RedisFaultsTest, AStoreThatIsCutIsNotSentTwice) {
  const auto tier = through_proxy(seconds(1));
  store(*tier, "k", "x");
  server_.call({"CONFIG", "RESETSTAT"});
  proxy_.cut_after = 0;
  EXPECT_EQ(store(*tier, "k", "y"), Outcome::kFailed);
  EXPECT_EQ(proxy_.faults, 1U);
  EXPECT_TRUE(poll_until([&] {
    return server_.call({"INFO", "commandstats"}).find("cmdstat_set:calls=1") != std::string::npos;
  }));
}

TEST_F(RedisFaultsTest, AnEraseThatIsCutIsSentAgain) {
  const auto tier = through_proxy(seconds(2));
  std::vector<std::string> keys = {"a", "b", "c"};
  for (const std::string& key : keys) ASSERT_EQ(store(*tier, key, "x"), Outcome::kHit);
  proxy_.resets = 1;
  std::vector<Outcome> outcomes(keys.size(), Outcome::kHit);
  EXPECT_TRUE(tier->erase(views(keys), outcomes).ok());
  EXPECT_EQ(proxy_.faults, 1U);
  EXPECT_EQ(outcomes, std::vector(3, Outcome::kMiss)) << "the first time they were there";
  EXPECT_EQ(server_.call({"EXISTS", "ns:a", "ns:b", "ns:c"}), "0");
}

TEST_F(RedisFaultsTest, WithAllConnectionsBusyCallersDoNotWaitLong) {
  RedisOptions with = options();
  with.pool_size = 1;
  with.timeout = seconds(2);
  const auto tier = connect(with);
  store(*tier, "k", "x");
  server_.freeze();
  std::atomic<int> skipped{0};
  std::atomic<int> hits{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        const Outcome outcome = fetch(*tier, "k").outcome;
        if (outcome == Outcome::kSkipped) ++skipped;
        if (outcome == Outcome::kHit) ++hits;
      });
    }
    EXPECT_TRUE(poll_until([&] { return skipped == 3; }, milliseconds(1000)))
        << "long before the timeout";
    server_.thaw();
  }
  EXPECT_EQ(hits, 1);
  EXPECT_EQ(errors(*tier, "pool"), 3U);
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kHit);
}

TEST_F(RedisFaultsTest, AClosedTierIsSkipped) {
  const auto tier = connect();
  store(*tier, "k", "x");
  tier->close();
  tier->close();
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped);
  EXPECT_EQ(store(*tier, "k", "x"), Outcome::kSkipped);
  EXPECT_EQ(tier->clear().code, base::ErrorCode::kClosed);
  EXPECT_TRUE(poll_until([&] {
    return server_.call({"INFO", "clients"}).find("connected_clients:1\r") != std::string::npos;
  })) << "only the asking one";
}

TEST_F(RedisFaultsTest, AClearThatFailedIsMadeUpFor) {
  const auto tier = connect(hasty());
  const auto other = connect(options());
  ASSERT_EQ(store(*tier, "k", "x"), Outcome::kHit);
  server_.freeze();
  EXPECT_FALSE(tier->clear().ok());
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped);
  EXPECT_EQ(store(*tier, "k", "y"), Outcome::kSkipped) << "it would be cleared later";
  EXPECT_EQ(touch(*tier, "k", Millis(-1)), Outcome::kSkipped);
  server_.thaw();
  EXPECT_TRUE(poll_until([&] {
    pass_pause();
    const Outcome outcome = fetch(*tier, "k").outcome;
    EXPECT_NE(outcome, Outcome::kHit);
    return outcome == Outcome::kExpired;
  }));
  EXPECT_EQ(fetch(*other, "k").outcome, Outcome::kExpired);
  EXPECT_EQ(store(*tier, "k", "z"), Outcome::kHit);
  EXPECT_EQ(fetch(*tier, "k").payload, "z");
  EXPECT_EQ(fetch(*other, "k").payload, "z");
}

// The entries outlive the server, as with persistence.
TEST_F(RedisFaultsTest, AClearThatMetNoServerOutlastsItsRestart) {
  const auto tier = connect(hasty());
  const auto other = connect(options());
  ASSERT_EQ(store(*tier, "k", "x"), Outcome::kHit);
  const std::string value = server_.call({"GET", "ns:k"});
  const std::string generation = server_.call({"GET", "ns!gen"});
  server_.kill();
  EXPECT_FALSE(tier->clear().ok());
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kSkipped);
  server_.start();
  server_.call({"SET", "ns:k", value});
  server_.call({"SET", "ns!gen", generation});
  EXPECT_EQ(fetch(*other, "k").payload, "x") << "nobody has told it";
  pass_pause();
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kExpired);
  EXPECT_EQ(fetch(*other, "k").outcome, Outcome::kExpired);
  const std::string stepped = server_.call({"GET", "ns!gen"});
  EXPECT_EQ(store(*tier, "k", "y"), Outcome::kHit);
  EXPECT_EQ(fetch(*other, "k").payload, "y");
  EXPECT_EQ(server_.call({"GET", "ns!gen"}), stepped) << "once is enough";
}

TEST_F(RedisFaultsTest, AClearThatSucceedsMakesUpForThoseBefore) {
  const auto tier = connect(hasty());
  server_.kill();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(tier->clear().ok());
  server_.start();
  pass_pause();
  EXPECT_TRUE(tier->clear().ok());
  const std::string stepped = server_.call({"GET", "ns!gen"});
  EXPECT_EQ(store(*tier, "k", "x"), Outcome::kHit);
  EXPECT_EQ(server_.call({"GET", "ns!gen"}), stepped);
}

// The parent's idle connection is open in the child as well; both would read each other's replies.
TEST_F(RedisFaultsTest, AForkedChildLeavesItsParentsConnectionAlone) {
  const auto tier = connect();
  store(*tier, "parent", "p");
  store(*tier, "child", "c");
  const auto right = [&](const char* key, const char* payload) {
    for (int i = 0; i < 500; ++i) {
      if (fetch(*tier, key).payload != payload) return false;
    }
    return tier->status(false).errors.empty() && tier->status(false).connections == 1;
  };
  for (int round = 0; round < 5; ++round) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(right("child", "c") ? 0 : 1);
    EXPECT_TRUE(right("parent", "p"));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "child " << round;
  }
}

// Forks while other threads use the tier, whose locks they may hold at that moment, where the
// allocator is not locked with them.
TEST_F(RedisFaultsTest, AForkedChildSharesNothing) {
  const auto tier = connect();
  for (int i = 0; i < 20; ++i) {
    const std::string key = "k" + std::to_string(i);
    store(*tier, key, key);
  }
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < (testing::kForksUnderLoad ? 3 : 0); ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; !done; ++i) {
        const std::string key = "k" + std::to_string(i % 20);
        if (fetch(*tier, key).payload != key) ++wrong;
      }
    });
  }
  for (int round = 0; round < 30; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      bool right = true;
      for (int i = 0; i < 50; ++i) {
        const std::string key = "k" + std::to_string(i % 20);
        right = right && fetch(*tier, key).payload == key;
      }
      right = right && store(*tier, "child", "c") == Outcome::kHit;
      ::_exit(right ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "child " << round;
  }
  done = true;
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(errors(*tier, "mismatch"), 0U);
  EXPECT_TRUE(tier->status(false).errors.empty());
}

}  // namespace
}  // namespace vcache::l2
