#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "../policy/policy_cache.hpp"
#include "l1/l1_cache.hpp"
#include "l1/policy/shadow.hpp"
#include "support/float_vector.hpp"
#include "support/in_child.hpp"
#include "support/models.hpp"
#include "support/poll_until.hpp"
#include "support/scripted_trainer.hpp"

namespace vcache::l1 {
namespace {

using std::chrono::seconds;
using testing::Key;
using testing::Vector;

constexpr std::size_t kWide = 400;  // floats, so that an entry is worth learning of

class LearnedCacheTest : public ::testing::Test {
 protected:
  [[nodiscard]] static L1Options options(std::size_t entries) {
    return {.bytes = std::size_t{1} << 30, .entries = entries, .policy = "learned", .seed = 5};
  }
  [[nodiscard]] static std::vector<Key> trace(std::size_t requests, Key keys) {
    return testing::with_scans(testing::zipf_trace(requests, keys, 0.9, 42), 5'000, 1'000);
  }
  // Asks for each key, and stores what is not there; how many were not.
  std::uint64_t misses_of(L1Cache& cache, const std::vector<Key>& trace,
                          std::size_t width = kWide) {
    const Vector value(width, 1);
    std::uint64_t misses = 0;
    for (const Key key : trace) {
      const std::string name = "k" + std::to_string(key);
      if (cache.find(name)) continue;
      ++misses;
      cache.insert(name, value.view(), kNoExpiry);
    }
    return misses;
  }

  base::ManualClock clock_{seconds(1000)};
  metrics::GroupTable groups_;
};

// Each key is asked for again only after more others than there is room for.
TEST_F(LearnedCacheTest, AModelMayJudgeByTheKeyGroup) {
  constexpr Key kAgain = 300;
  L1Options live = options(400);
  live.learning.model = testing::model_of(testing::kGroupReuseInput, 4);
  L1Cache cache(live, clock_, groups_);
  ASSERT_TRUE(cache.pin("frozen"));
  const Vector value(kWide, 1);
  std::size_t hits = 0;
  constexpr Key kRounds = 40;
  for (Key i = 0; i < kRounds * kAgain; ++i) {
    const std::string again = "again:" + std::to_string(i % kAgain);
    if (cache.find(again)) {
      ++hits;
    } else {
      cache.insert(again, value.view(), kNoExpiry);
    }
    cache.insert("once:" + std::to_string(i), value.view(), kNoExpiry);
  }
  EXPECT_GT(hits, kRounds * kAgain / 2);
}

// Admits whatever comes.
class OpenGate final : public Gate {
 public:
  [[nodiscard]] bool is_open() const noexcept override { return true; }
};

TEST_F(LearnedCacheTest, AModelMayJudgeByTheTierAValueCameFrom) {
  constexpr Key kAgain = 300;
  L1Options live = options(400);
  live.learning.model = testing::model_of(testing::kFromRedisInput, -4);
  L1Cache cache(live, clock_, groups_);
  ASSERT_TRUE(cache.pin("frozen"));
  const Vector value(kWide, 1);
  std::size_t hits = 0;
  constexpr Key kRounds = 40;
  for (Key i = 0; i < kRounds * kAgain; ++i) {
    const std::string computed = "c" + std::to_string(i % kAgain);
    if (cache.find(computed)) {
      ++hits;
    } else {
      cache.insert(computed, value.view(), kNoExpiry);
    }
    const std::string promoted = "p" + std::to_string(i);
    Identity identity = cache.identity_of(promoted, kNoExpiry, base::Nanos{0}, {});
    identity.is_from_redis = true;
    ASSERT_TRUE(cache.insert_pinned(promoted, value.view(), identity, OpenGate{}));
  }
  EXPECT_GT(hits, kRounds * kAgain / 2);
}

// The same policy class decides, of what it is told a little later.
TEST_F(LearnedCacheTest, MissesAsTheSimulatorDoes) {
  const std::vector<Key> requests = trace(60'000, 10'000);
  for (const std::size_t entries : {50U, 400U, 2'000U}) {
    L1Options live = options(entries);
    live.learning.model = testing::model_of(testing::kAgeInput, -1);
    L1Cache cache(live, clock_, groups_);
    const auto misses = static_cast<double>(misses_of(cache, requests));
    policy::Shadow<policy::Learned> simulated(
        policy::Learned({.frozen = live.learning.model, .seed = 5}), entries);
    double expected = 0;
    for (const Key key : requests) {
      expected += simulated.access({.key_hash = testing::hash_of(key), .bytes = 1}) ? 0 : 1;
    }
    EXPECT_NEAR(misses / expected, 1, 0.04) << entries << " entries";
    EXPECT_EQ(cache.stats().entries, entries);
  }
}

// Though it is asked for several victims at once, before the newcomers that they make room for.
TEST_F(LearnedCacheTest, MissesAsThePolicyThatIsPinnedDoes) {
  std::vector<Key> requests;  // of 600 keys again and again, each time with one that is new
  for (const Key key : testing::zipf_trace(30'000, 600, 0, 42)) {
    requests.insert(requests.end(), {key, 1'000'000 + requests.size()});
  }
  for (const std::string_view name : {"s3fifo", "lru", "arc", "wtinylfu"}) {
    L1Cache cache(options(640), clock_, groups_);
    ASSERT_TRUE(cache.pin(name));
    L1Options alone = options(640);
    alone.policy = name;
    L1Cache classic(alone, clock_, groups_);
    const auto misses = static_cast<double>(misses_of(cache, requests));
    EXPECT_NEAR(misses / static_cast<double>(misses_of(classic, requests)), 1, 0.05) << name;
  }
}

TEST_F(LearnedCacheTest, PreparesNearlyAllEvictions) {
  L1Cache cache(options(2'000), clock_, groups_);
  (void)misses_of(cache, trace(100'000, 20'000));
  const ShardStats stats = cache.stats();
  EXPECT_GT(stats.evictions, 10'000U);
  EXPECT_LT(static_cast<double>(stats.unprepared), 0.001 * static_cast<double>(stats.evictions));
}

// What is known of entries is in the budget, and is not worth it where they are small.
TEST_F(LearnedCacheTest, LearnsNothingOfSmallEntries) {
  L1Options small = options(0);
  small.bytes = std::size_t{1} << 20;
  L1Cache cache(small, clock_, groups_);
  (void)misses_of(cache, trace(50'000, 20'000), 8);
  const std::uint64_t entries = cache.stats().entries;
  L1Options classic = small;
  classic.policy = "s3fifo";
  L1Cache other(classic, clock_, groups_);
  (void)misses_of(other, trace(50'000, 20'000), 8);
  EXPECT_NEAR(static_cast<double>(entries), static_cast<double>(other.stats().entries),
              0.02 * static_cast<double>(entries));
  cache.clear();
  (void)misses_of(cache, trace(50'000, 20'000), kWide);
  EXPECT_LE(cache.stats().memory_bytes, small.bytes);
  EXPECT_GT(cache.stats().learned_bytes, 0U) << "of larger ones it learns";
}

TEST_F(LearnedCacheTest, StaysWithinItsBudget) {
  for (const std::size_t kib : {96U, 512U, 4'096U}) {
    L1Options bounded = options(0);
    bounded.bytes = kib << 10;
    L1Cache cache(bounded, clock_, groups_);
    (void)misses_of(cache, trace(60'000, 20'000));
    EXPECT_LE(cache.stats().memory_bytes, bounded.bytes) << kib << " KiB";
    EXPECT_GT(cache.stats().entries, bounded.bytes / 2'400) << kib << " KiB";
  }
}

TEST_F(LearnedCacheTest, ForgetsWhatWasCleared) {
  L1Cache cache(options(500), clock_, groups_);
  const std::vector<Key> requests = trace(20'000, 5'000);
  (void)misses_of(cache, requests);
  cache.clear();
  EXPECT_EQ(cache.stats().entries, 0U);
  (void)misses_of(cache, requests);
  EXPECT_EQ(cache.stats().entries, 500U);
  EXPECT_LT(cache.stats().unprepared, 20U);
}

TEST_F(LearnedCacheTest, LearnsFromWhatHappens) {
  testing::Script script;
  L1Options learning = options(1'000);
  learning.learning.tutor.make_trainer = [&](predictor::StartWeights) {
    return base::Result<std::unique_ptr<predictor::Trainer>>(
        std::make_unique<testing::ScriptedTrainer>(script));
  };
  L1Cache cache(learning, clock_, groups_);
  const std::vector<Key> requests = trace(30'000, 20'000);
  EXPECT_TRUE(testing::poll_until([&] {
    (void)misses_of(cache, requests);
    return cache.tutor()->version() > 0;
  }));
  (void)misses_of(cache, requests);
  cache.close();
  EXPECT_GT(cache.tutor()->record().lessons, 1'000U);
}

TEST_F(LearnedCacheTest, WhatItLearnsFromIsInItsBudget) {
  testing::Script script;
  L1Options learning = options(0);
  learning.bytes = std::size_t{6} << 20;
  learning.learning.tutor.make_trainer = [&](predictor::StartWeights) {
    return base::Result<std::unique_ptr<predictor::Trainer>>(
        std::make_unique<testing::ScriptedTrainer>(script));
  };
  L1Cache cache(learning, clock_, groups_);
  const std::vector<Key> requests = trace(30'000, 20'000);
  EXPECT_TRUE(testing::poll_until([&] {
    (void)misses_of(cache, requests);
    return cache.tutor()->record().lessons > 10'000;
  }));
  (void)cache.learning();
  cache.close();
  const std::size_t examples = cache.tutor()->share_of_memory();
  EXPECT_GT(examples, learning.bytes / 60);
  EXPECT_LE(examples, learning.bytes / 50);
  EXPECT_LE(cache.stats().memory_bytes, learning.bytes);
  EXPECT_GT(cache.stats().learned_bytes, examples);
}

TEST_F(LearnedCacheTest, ManyThreadsUseItAtOnce) {
  testing::Script script;
  L1Options shared = options(4'096);
  shared.entries = 2 * 4'096;  // two shards
  shared.learning.tutor.make_trainer = [&](predictor::StartWeights) {
    return base::Result<std::unique_ptr<predictor::Trainer>>(
        std::make_unique<testing::ScriptedTrainer>(script));
  };
  L1Cache cache(shared, clock_, groups_);
  ASSERT_EQ(cache.shard_count(), 2U);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const std::vector<Key> mine =
          testing::zipf_trace(20'000, 20'000, 0.8, static_cast<std::uint64_t>(i));
      (void)misses_of(cache, mine);
      for (const Key key : std::span(mine).first(2'000)) cache.erase("k" + std::to_string(key));
    });
  }
  std::thread observer([&] {
    for (int i = 0; i < 200; ++i) {
      (void)cache.stats();
      (void)cache.learning();
      (void)cache.predict("k1");
      (void)cache.judge("k2");
      (void)cache.pin(i % 2 == 0 ? "lru" : "");
      (void)cache.tutor()->roll_back();
      if (i % 50 == 0) cache.clear();
    }
  });
  for (std::thread& thread : threads) thread.join();
  observer.join();
  EXPECT_LE(cache.stats().entries, shared.entries);
  EXPECT_GT(cache.stats().hits, 0U);
}

// Twenty keys are read every minute, twenty others once.
class HourTest : public LearnedCacheTest {
 protected:
  void pass_minutes(L1Cache& cache, int minutes) {
    for (int i = 0; i < minutes; ++i) {
      clock_.advance(std::chrono::minutes(1));
      std::vector<Key> keys;
      for (Key key = 0; key < 20; ++key) keys.insert(keys.end(), {key, ++once_});
      (void)misses_of(cache, keys);
      (void)cache.learning();
    }
  }
  [[nodiscard]] std::string newest_once() const { return "k" + std::to_string(once_); }

  Key once_ = 1'000;
};

TEST_F(HourTest, PredictsWhatBecomesOfKeys) {
  L1Options live = options(1'000);
  live.learning.model = testing::model_of(testing::kAgeInput, -1);
  L1Cache cache(live, clock_, groups_);
  pass_minutes(cache, 59);
  EXPECT_EQ(cache.learning()->reliability.outcomes, 0U) << "no hour is over";
  pass_minutes(cache, 2'400);
  EXPECT_GT(cache.learning()->reliability.outcomes, 1'000U);
  EXPECT_LT(cache.learning()->reliability.calibration_error(), 0.05);
  EXPECT_GT(cache.predict("k0").value(), 0.9);
  EXPECT_LT(cache.predict(newest_once()).value(), 0.15);
  EXPECT_FALSE(cache.predict("k999999999").has_value());
}

TEST_F(HourTest, AClockThatJumpsLosesNoMoreThanTheHourThatItJumpsOver) {
  L1Options live = options(1'000);
  live.learning.model = testing::model_of(testing::kAgeInput, -1);
  L1Cache cache(live, clock_, groups_);
  pass_minutes(cache, 300);
  const std::uint64_t before = cache.learning()->reliability.outcomes;
  clock_.advance(std::chrono::hours(24 * 365));
  pass_minutes(cache, 1);
  const std::uint64_t after = cache.learning()->reliability.outcomes;
  EXPECT_GT(after, before);
  EXPECT_LE(after - before, predictor::Hour::kMost);
  pass_minutes(cache, 300);
  EXPECT_GT(cache.predict("k0").value(), cache.predict(newest_once()).value());
}

TEST_F(LearnedCacheTest, AChildOfForkGoesOn) {
  if (!testing::kThreadsInChildren) GTEST_SKIP() << "the sanitizer ends such a child";
  L1Cache cache(options(500), clock_, groups_);
  (void)misses_of(cache, trace(20'000, 5'000));
  cache.lock_all();
  const bool held = testing::holds_in_child([&] {
    cache.on_child();
    cache.unlock_all();
    (void)misses_of(cache, trace(20'000, 5'000));
    return cache.stats().entries == 500;
  });
  cache.unlock_all();
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace vcache::l1
