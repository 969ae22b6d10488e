#include "l2/redis_l2.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cpp/l2/redis_fixture.hpp"
#include "l2/codec/format.hpp"

namespace vcache::l2 {
namespace {

using namespace std::string_literals;
using base::Millis;
using testing::CollectSink;
using testing::erase;
using testing::fetch;
using testing::object_view;
using testing::poll_until;
using testing::store;
using testing::touch;
using testing::vector_view;
using testing::views;

class RedisL2Test : public RedisFixture {
 protected:
  const std::unique_ptr<L2> tier_ = connect();
};

TEST_F(RedisL2Test, ReturnsWhatWasStored) {
  const std::vector<float> elements = {1.5F, -2.25F, 3.0F};
  base::ValueView value = vector_view(elements);
  const std::string metadata = "\x81\xa1k\x01";
  value.metadata = std::as_bytes(std::span(metadata));
  value.cost = 0.5F;
  value.seconds = 0.25F;
  ASSERT_EQ(store(*tier_, "v", value), Outcome::kHit);
  const CollectSink::Answer answer = fetch(*tier_, "v");
  ASSERT_EQ(answer.outcome, Outcome::kHit);
  EXPECT_EQ(std::memcmp(answer.payload.data(), elements.data(), 12), 0);
  EXPECT_EQ(answer.metadata, metadata);
  EXPECT_EQ(answer.value.kind, base::ValueKind::kVector);
  EXPECT_EQ(answer.value.dtype, base::DType::kFloat32);
  EXPECT_EQ(answer.value.shape, value.shape);
  EXPECT_EQ(answer.value.cost, 0.5F);
  EXPECT_EQ(answer.value.seconds, 0.25F);
  EXPECT_EQ(fetch(*tier_, "w").outcome, Outcome::kMiss);
}

TEST_F(RedisL2Test, TheWireKeyIsNamespaceColonKey) {
  const std::string key = "a:b \r\n\0{}*%s\xff"s;
  ASSERT_EQ(store(*tier_, key, "x"), Outcome::kHit);
  EXPECT_EQ(server_.call({"EXISTS", "ns:" + key}), "1");
  EXPECT_EQ(fetch(*tier_, key).payload, "x");
  EXPECT_EQ(server_.call({"DBSIZE"}), "2") << "the entry and the generation";
  EXPECT_NE(server_.call({"GET", "ns!gen"}), "(nil)");
}

TEST_F(RedisL2Test, RandomBinaryKeysAndValuesComeBack) {
  std::mt19937 random(5);
  const auto bytes = [&random](std::size_t most) {
    std::string out(1 + random() % most, '\0');
    for (char& c : out) c = static_cast<char>(random());
    return out;
  };
  std::vector<std::string> keys;
  std::vector<std::string> payloads;
  std::vector<Write> writes;
  for (int i = 0; i < 300; ++i) keys.push_back(bytes(1024) + std::to_string(i));
  for (int i = 0; i < 300; ++i) payloads.push_back(bytes(5000));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    writes.push_back({.key = keys[i], .value = object_view(payloads[i]), .ttl = Millis(60'000)});
  }
  std::vector<Outcome> outcomes(keys.size());
  testing::SpanWrites source(writes);
  ASSERT_TRUE(tier_->store(source, outcomes).ok());
  EXPECT_EQ(std::ranges::count(outcomes, Outcome::kHit), 300);
  CollectSink sink(keys.size());
  ASSERT_TRUE(tier_->fetch(views(keys), sink).ok());
  EXPECT_TRUE(sink.complete());
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(sink.answers[i].payload, payloads[i]);
}

TEST_F(RedisL2Test, ABatchIsOneConnectionAndFewCommands) {
  std::vector<std::string> keys;
  for (int i = 0; i < 200; ++i) keys.push_back("k" + std::to_string(i));
  for (std::size_t i = 0; i < keys.size(); i += 2) store(*tier_, keys[i], keys[i]);
  server_.call({"CONFIG", "RESETSTAT"});
  CollectSink sink(keys.size());
  ASSERT_TRUE(tier_->fetch(views(keys), sink).ok());
  EXPECT_TRUE(sink.complete());
  EXPECT_EQ(sink.count(Outcome::kHit), 100U);
  EXPECT_EQ(sink.count(Outcome::kMiss), 100U);
  const std::string stats = server_.call({"INFO", "commandstats"});
  EXPECT_NE(stats.find("cmdstat_mget:calls=7"), std::string::npos) << stats;
  EXPECT_EQ(tier_->status(false).connections, 1U);
}

TEST_F(RedisL2Test, LargeBatchesAndValuesDoNotBlockEachOther) {
  const std::string large(10U << 20, 'L');
  const std::string small(1000, 's');
  std::vector<std::string> keys;
  std::vector<Write> writes;
  for (int i = 0; i < 3000; ++i) keys.push_back("k" + std::to_string(i));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    writes.push_back({.key = keys[i], .value = object_view(i % 1000 == 7 ? large : small)});
  }
  RedisOptions patient = options();
  patient.timeout = Millis(20'000);
  const auto tier = connect(patient);
  std::vector<Outcome> outcomes(keys.size());
  testing::SpanWrites source(writes);
  ASSERT_TRUE(tier->store(source, outcomes).ok());
  CollectSink sink(keys.size());
  ASSERT_TRUE(tier->fetch(views(keys), sink).ok());
  EXPECT_EQ(sink.count(Outcome::kHit), keys.size());
  EXPECT_EQ(sink.answers[1007].payload, large);
  EXPECT_EQ(sink.answers[8].payload, small);
}

TEST_F(RedisL2Test, DuplicateKeysAreAnsweredEach) {
  store(*tier_, "k", "x");
  const std::vector<std::string> keys = {"k", "absent", "k", "k"};
  CollectSink sink(keys.size());
  ASSERT_TRUE(tier_->fetch(views(keys), sink).ok());
  EXPECT_TRUE(sink.complete());
  EXPECT_EQ(sink.count(Outcome::kHit), 3U);
}

TEST_F(RedisL2Test, TtlIsInTheCommandAndInTheHeader) {
  ASSERT_EQ(store(*tier_, "k", "x", Millis(50'000)), Outcome::kHit);
  const int left = std::stoi(server_.call({"PTTL", "ns:k"}));
  EXPECT_GT(left, 49'000);
  EXPECT_LE(left, 50'000);
  const CollectSink::Answer answer = fetch(*tier_, "k");
  EXPECT_GT(answer.remaining, Millis(49'000));
  EXPECT_LE(answer.remaining, Millis(50'000));
  EXPECT_LT(answer.age, Millis(1'000)) << "in the server's time, whatever our clock says";
  ASSERT_EQ(store(*tier_, "k", "x", Millis(0)), Outcome::kHit);
  EXPECT_EQ(server_.call({"PTTL", "ns:k"}), "-1");
  EXPECT_LT(fetch(*tier_, "k").remaining, Millis(0));
  ASSERT_EQ(store(*tier_, "short", "x", Millis(20)), Outcome::kHit);
  EXPECT_TRUE(poll_until([&] { return fetch(*tier_, "short").outcome == Outcome::kMiss; }));
}

TEST_F(RedisL2Test, WrongClocksDoNotMatter) {
  testing::FakeClock early(std::chrono::seconds(5));
  testing::FakeClock late(std::chrono::hours(24 * 365 * 100));
  const auto writer = make_redis_l2(options(), early);
  const auto reader = make_redis_l2(options(), late);
  ASSERT_EQ(store(*writer, "k", "x", Millis(50'000)), Outcome::kHit);
  const CollectSink::Answer answer = fetch(*reader, "k");
  ASSERT_EQ(answer.outcome, Outcome::kHit);
  EXPECT_GT(answer.remaining, Millis(48'000));
  EXPECT_LE(answer.remaining, Millis(50'500));
  // A clock that jumps is put right within a minute, without a new connection.
  late.set_wall(Millis(1));
  late.advance(std::chrono::seconds(61));
  EXPECT_GT(fetch(*reader, "k").remaining, Millis(48'000));
  EXPECT_LE(fetch(*reader, "k").remaining, Millis(50'500));
}

TEST_F(RedisL2Test, EraseTellsOfEachKey) {
  store(*tier_, "old", "x");
  ASSERT_TRUE(tier_->clear().ok());
  store(*tier_, "a", "x");
  store(*tier_, "b", "x");
  const std::vector<std::string> keys = {"a", "absent", "old", "b", "a"};
  std::vector<Outcome> outcomes(keys.size(), Outcome::kFailed);
  ASSERT_TRUE(tier_->erase(views(keys), outcomes).ok());
  EXPECT_EQ(outcomes, (std::vector{Outcome::kHit, Outcome::kMiss, Outcome::kExpired, Outcome::kHit,
                                   Outcome::kMiss}));
  EXPECT_EQ(server_.call({"EXISTS", "ns:a", "ns:b", "ns:old"}), "0");
}

TEST_F(RedisL2Test, ClearEndsEverythingStoredBefore) {
  const auto other = connect();
  RedisOptions elsewhere = options();
  elsewhere.namespace_name = "ns2";
  const auto neighbour = connect(elsewhere);
  store(*tier_, "k", "x");
  store(*neighbour, "k", "y");
  ASSERT_TRUE(other->clear().ok());
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired);
  EXPECT_EQ(fetch(*other, "k").outcome, Outcome::kExpired);
  EXPECT_EQ(fetch(*neighbour, "k").payload, "y");
  EXPECT_EQ(store(*tier_, "k", "z"), Outcome::kHit);
  EXPECT_EQ(fetch(*other, "k").payload, "z");
}

// A process that has not heard of the clear writes with the old generation at first.
TEST_F(RedisL2Test, AWriteAfterAForeignClearIsServed) {
  const auto other = connect();
  store(*tier_, "k", "x");
  ASSERT_TRUE(other->clear().ok());
  std::vector<std::string> keys = {"a", "b", "c"};
  std::vector<Write> writes;
  for (const std::string& key : keys) writes.push_back({.key = key, .value = object_view(key)});
  std::vector<Outcome> outcomes(keys.size());
  testing::SpanWrites source(writes);
  ASSERT_TRUE(tier_->store(source, outcomes).ok());
  CollectSink sink(keys.size());
  ASSERT_TRUE(other->fetch(views(keys), sink).ok());
  EXPECT_EQ(sink.count(Outcome::kHit), 3U);
  EXPECT_EQ(fetch(*other, "k").outcome, Outcome::kExpired);
}

TEST_F(RedisL2Test, ALostGenerationNeverBringsOldEntriesBack) {
  store(*tier_, "before", "x");
  ASSERT_TRUE(tier_->clear().ok());
  store(*tier_, "after", "x");
  server_.call({"DEL", "ns!gen"});
  EXPECT_EQ(fetch(*tier_, "before").outcome, Outcome::kExpired);
  EXPECT_EQ(fetch(*tier_, "after").outcome, Outcome::kExpired);
  const auto fresh = connect();
  EXPECT_EQ(fetch(*fresh, "after").outcome, Outcome::kExpired);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(store(*fresh, "new", "x"), Outcome::kHit);
  EXPECT_EQ(store(*tier_, "newer", "x"), Outcome::kHit);
  EXPECT_EQ(fetch(*tier_, "new").outcome, Outcome::kHit);
  EXPECT_EQ(fetch(*fresh, "newer").outcome, Outcome::kHit);
  EXPECT_EQ(fetch(*tier_, "before").outcome, Outcome::kExpired);
  EXPECT_EQ(fetch(*tier_, "after").outcome, Outcome::kExpired);
}

TEST_F(RedisL2Test, ClearStepsPastAGenerationFromTheFuture) {
  const std::string future = "9000000000000000";
  server_.call({"SET", "ns!gen", future});
  store(*tier_, "k", "x");
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kHit);
  ASSERT_TRUE(tier_->clear().ok());
  EXPECT_EQ(server_.call({"GET", "ns!gen"}), "9000000000000001");
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired);
}

TEST_F(RedisL2Test, AGenerationThatIsNoneEndsWithTheNextClear) {
  for (const char* nonsense : {"", "abc", "-5", "0", "12x", "9223372036854775807",
                               "18446744073709551615", "99999999999999999999999"}) {
    server_.call({"SET", "ns!gen", nonsense});
    (void)store(*tier_, "k", "x");
    (void)fetch(*tier_, "k");
    ASSERT_TRUE(tier_->clear().ok());
    EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kExpired) << nonsense;
    EXPECT_EQ(store(*tier_, "k", "y"), Outcome::kHit) << nonsense;
    EXPECT_EQ(fetch(*tier_, "k").payload, "y") << nonsense;
  }
}

TEST_F(RedisL2Test, TwoFirstWritersAgreeOnTheGeneration) {
  const auto other = connect();
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(*other, "k").outcome, Outcome::kMiss);
  EXPECT_EQ(store(*tier_, "a", "x"), Outcome::kHit);
  EXPECT_EQ(store(*other, "b", "x"), Outcome::kHit);
  EXPECT_EQ(fetch(*other, "a").outcome, Outcome::kHit);
  EXPECT_EQ(fetch(*tier_, "b").outcome, Outcome::kHit);
}

TEST_F(RedisL2Test, AlteredValuesAreMissesAndAreRemoved) {
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    ASSERT_EQ(store(*tier_, "k", "some payload"), Outcome::kHit);
    std::string raw = server_.call({"GET", "ns:k"});
    const std::size_t at = random() % raw.size();
    raw[at] = static_cast<char>(raw[at] ^ (1 << (random() % 8)));
    server_.call({"SETRANGE", "ns:k", std::to_string(at), raw.substr(at, 1)});
    EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kMiss) << at;
    if (at != codec::offset::kVersion) {
      EXPECT_EQ(server_.call({"EXISTS", "ns:k"}), "0") << at;
    }
  }
  EXPECT_GT(errors(*tier_, "corrupt"), 40U);
  EXPECT_EQ(tier_->status(false).breaker, "closed") << "the server is well";
}

TEST_F(RedisL2Test, ManyAlteredValuesKeepCallsAwayAndOneDoesNot) {
  const auto spoil = [&](const std::string& key) {
    ASSERT_EQ(store(*tier_, key, "some payload"), Outcome::kHit);
    server_.call({"SETRANGE", "ns:" + key, "100", "?"});
  };
  spoil("one");
  EXPECT_EQ(fetch(*tier_, "one").outcome, Outcome::kMiss);
  EXPECT_EQ(tier_->status(false).breaker, "closed");
  for (int i = 0; i < 12; ++i) spoil("k" + std::to_string(i));
  clock_.advance(std::chrono::seconds(20));  // what went well is forgotten
  for (int i = 0; i < 12; ++i) (void)fetch(*tier_, "k" + std::to_string(i));
  EXPECT_EQ(tier_->status(false).breaker, "open");
}

TEST_F(RedisL2Test, AnotherKeysValueIsAMismatch) {
  store(*tier_, "a", "x");
  server_.call({"COPY", "ns:a", "ns:b"});
  server_.call({"COPY", "ns:a", "other:a"});
  RedisOptions elsewhere = options();
  elsewhere.namespace_name = "other";
  const auto other = connect(elsewhere);
  EXPECT_EQ(fetch(*tier_, "b").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(*other, "a").outcome, Outcome::kMiss);
  EXPECT_EQ(errors(*tier_, "mismatch"), 1U);
  EXPECT_EQ(errors(*other, "mismatch"), 1U);
  EXPECT_EQ(server_.call({"EXISTS", "ns:b"}), "0");
  EXPECT_EQ(fetch(*tier_, "a").outcome, Outcome::kHit);
}

TEST_F(RedisL2Test, LaterVersionsAreLeftAndForeignBytesAreRemoved) {
  store(*tier_, "later", "x");
  server_.call({"SETRANGE", "ns:later", "4", "\x02"});
  server_.call({"SET", "ns:foreign", "[0.5, 0.25]"});
  server_.call({"SET", "ns:empty", ""});
  server_.call({"RPUSH", "ns:list", "x"});
  for (const char* key : {"later", "foreign", "empty", "list"}) {
    EXPECT_EQ(fetch(*tier_, key).outcome, Outcome::kMiss) << key;
  }
  EXPECT_EQ(server_.call({"EXISTS", "ns:later"}), "1");
  EXPECT_EQ(server_.call({"EXISTS", "ns:foreign"}), "0");
  EXPECT_EQ(server_.call({"EXISTS", "ns:empty"}), "0");
  EXPECT_EQ(server_.call({"EXISTS", "ns:list"}), "1");
  EXPECT_EQ(errors(*tier_, "version"), 1U);
  EXPECT_EQ(errors(*tier_, "foreign"), 1U);
  EXPECT_EQ(errors(*tier_, "corrupt"), 1U);
  EXPECT_EQ(touch(*tier_, "list", Millis(-1)), Outcome::kMiss);
  EXPECT_EQ(errors(*tier_, "wrongtype"), 1U);
  EXPECT_EQ(store(*tier_, "list", "now ours"), Outcome::kHit);
  EXPECT_EQ(fetch(*tier_, "list").payload, "now ours");
}

TEST_F(RedisL2Test, AHugeForeignValueCostsOnlyItself) {
  RedisOptions small = options();
  small.max_value = 1U << 20;
  const auto tier = connect(small);
  store(*tier, "a", "x");
  store(*tier, "c", "z");
  server_.call({"SET", "ns:b", std::string(3U << 20, 'y')});
  const std::vector<std::string> keys = {"a", "b", "c"};
  CollectSink sink(keys.size());
  ASSERT_TRUE(tier->fetch(views(keys), sink).ok());
  EXPECT_TRUE(sink.complete());
  EXPECT_EQ(sink.answers[0].outcome, Outcome::kHit);
  EXPECT_EQ(sink.answers[1].outcome, Outcome::kMiss);
  EXPECT_EQ(sink.answers[2].outcome, Outcome::kHit);
  EXPECT_EQ(errors(*tier, "too_big"), 1U);
  EXPECT_EQ(server_.call({"EXISTS", "ns:b"}), "0");
}

TEST_F(RedisL2Test, SeveralHugeForeignValuesCostOnlyThemselves) {
  RedisOptions small = options();
  small.max_value = 1000;
  const auto tier = connect(small);
  const std::string huge(100'000, 'y');
  std::vector<std::string> keys;
  for (int i = 0; i < 40; ++i) keys.push_back("k" + std::to_string(i));
  for (const std::string& key : keys) ASSERT_EQ(store(*tier, key, "x"), Outcome::kHit);
  for (const char* key : {"ns:k0", "ns:k1", "ns:k20", "ns:k39"}) server_.call({"SET", key, huge});
  CollectSink sink(keys.size());
  ASSERT_TRUE(tier->fetch(views(keys), sink).ok());
  EXPECT_TRUE(sink.complete());
  EXPECT_EQ(sink.count(Outcome::kHit), 36U);
  EXPECT_EQ(sink.count(Outcome::kMiss), 4U);
  EXPECT_EQ(errors(*tier, "too_big"), 4U);
  EXPECT_EQ(server_.call({"EXISTS", "ns:k0", "ns:k1", "ns:k20", "ns:k39"}), "0");
}

TEST_F(RedisL2Test, TooManyHugeForeignValuesEndTheCallButNotTheServer) {
  RedisOptions small = options();
  small.max_value = 1000;
  const auto tier = connect(small);
  const std::string huge(100'000, 'y');
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) keys.push_back("k" + std::to_string(i));
  for (const std::string& key : keys) server_.call({"SET", "ns:" + key, huge});
  std::size_t calls = 0;
  EXPECT_TRUE(poll_until([&] {
    CollectSink sink(keys.size());
    (void)tier->fetch(views(keys), sink);
    EXPECT_TRUE(sink.complete());
    EXPECT_EQ(tier->status(false).breaker, "closed");
    ++calls;
    return server_.call({"DBSIZE"}) == "0";
  })) << "each call removes some";
  EXPECT_GT(calls, 1U);
  EXPECT_EQ(errors(*tier, "too_big"), 100U);
}

TEST_F(RedisL2Test, WhatIsTooLargeIsNotSent) {
  RedisOptions small = options();
  small.max_value = 100;
  const auto tier = connect(small);
  const std::string large(101, 'x');
  const std::vector<Write> writes = {{.key = "a", .value = object_view("x")},
                                     {.key = "b", .value = object_view(large)},
                                     {.key = "c", .value = object_view("x")},
                                     {.key = "d", .value = object_view(large)}};
  std::vector<Outcome> outcomes(writes.size());
  testing::SpanWrites source(writes);
  EXPECT_TRUE(tier->store(source, outcomes).ok());
  EXPECT_EQ(outcomes,
            (std::vector{Outcome::kHit, Outcome::kFailed, Outcome::kHit, Outcome::kFailed}));
  EXPECT_EQ(server_.call({"EXISTS", "ns:b", "ns:d"}), "0");
  EXPECT_EQ(errors(*tier, "too_big"), 2U);
}

TEST_F(RedisL2Test, ReachesAUnixSocketAndAnotherDatabase) {
  RedisOptions local = options();
  local.unix_socket = server_.socket();
  local.port = 1;
  local.db = 3;
  const auto tier = connect(local);
  EXPECT_EQ(store(*tier, "k", "x"), Outcome::kHit);
  EXPECT_EQ(fetch(*tier, "k").payload, "x");
  EXPECT_EQ(fetch(*tier_, "k").outcome, Outcome::kMiss);
}

TEST_F(RedisL2Test, ResolvesNames) {
  RedisOptions named = options();
  named.host = "localhost";
  const auto tier = connect(named);
  EXPECT_EQ(store(*tier, "k", "x"), Outcome::kHit);
}

TEST_F(RedisL2Test, StatusTellsOfTheServer) {
  store(*tier_, "k", "x");
  const Status quiet = tier_->status(false);
  EXPECT_EQ(quiet.outcome, Outcome::kSkipped);
  EXPECT_TRUE(quiet.server.empty());
  const Status status = tier_->status(true);
  EXPECT_EQ(status.outcome, Outcome::kHit);
  EXPECT_EQ(status.breaker, "closed");
  EXPECT_EQ(status.connections, 1U);
  EXPECT_TRUE(status.errors.empty());
  EXPECT_GT(status.server.at("used_memory"), 100'000);
  EXPECT_EQ(status.server.at("evicted_keys"), 0);
  EXPECT_GE(status.server.at("ops"), 0);
  EXPECT_GE(status.server.at("clients"), 1);
  EXPECT_EQ(status.server.at("keys"), 2);
}

TEST_F(RedisL2Test, ManyThreadsShareAFewConnections) {
  RedisOptions few = options();
  few.pool_size = 2;
  const auto tier = connect(few);
  std::atomic<int> wrong{0};
  std::atomic<int> hits{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 200; ++i) {
          const std::string key = "k" + std::to_string(t) + "-" + std::to_string(i % 20);
          store(*tier, key, key);
          const CollectSink::Answer answer = fetch(*tier, key);
          if (answer.outcome == Outcome::kHit) ++hits;
          if (answer.outcome == Outcome::kHit && answer.payload != key) ++wrong;
          if (answer.outcome == Outcome::kFailed) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(hits, 500);
  EXPECT_LE(tier->status(false).connections, 2U);
}

}  // namespace
}  // namespace vcache::l2
