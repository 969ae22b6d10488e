#include "l1/policy/learned.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "l1/policy/shadow.hpp"
#include "policy_cache.hpp"
#include "support/models.hpp"

namespace vcache::l1::policy {
namespace {

using testing::hash_of;
using testing::Key;

std::uint64_t misses_of(LearnedOptions options, const std::vector<Key>& trace,
                        std::size_t capacity) {
  Shadow<Learned> cache(Learned(std::move(options)), capacity);
  std::uint64_t misses = 0;
  for (const Key key : trace)
    misses += cache.access({.key_hash = hash_of(key), .bytes = 1}) ? 0 : 1;
  return misses;
}

template <class P>
std::uint64_t misses_of(P policy, const std::vector<Key>& trace, std::size_t capacity) {
  Shadow<P> cache(std::move(policy), capacity);
  std::uint64_t misses = 0;
  for (const Key key : trace)
    misses += cache.access({.key_hash = hash_of(key), .bytes = 1}) ? 0 : 1;
  return misses;
}

std::vector<Key> loop(std::size_t requests, Key keys) {
  std::vector<Key> trace(requests);
  for (std::size_t i = 0; i < requests; ++i) trace[i] = i % keys;
  return trace;
}

// A plain account beside the policy: it holds what it was given until it leaves, once.
TEST(Learned, HoldsWhatItWasGivenUntilItLeaves) {
  for (const bool has_model : {false, true}) {
    for (const std::size_t target : {1U, 2U, 40U, 1'500U}) {
      LearnedOptions options{.seed = 5};
      if (has_model) options.frozen = testing::model_of(testing::kAccessesInput, 1);
      Learned policy(std::move(options));
      std::map<EntryId, std::uint32_t> held;
      std::vector<EntryId> freed;
      std::mt19937_64 random(target);
      EntryId next = 0;
      std::uint64_t bytes = 0;
      const auto any = [&] {
        auto place = held.lower_bound(static_cast<EntryId>(random() % next));
        return place == held.end() ? held.begin()->first : place->first;
      };
      const auto drop = [&](EntryId id) {
        ASSERT_EQ(held.count(id), 1U);
        bytes -= held[id];
        held.erase(id);
        freed.push_back(id);
      };
      for (int i = 0; i < 30'000; ++i) {
        const auto size = static_cast<std::uint32_t>(random() % 3'000);
        const auto kind = random() % 10;
        if (held.empty() || (kind < 4 && held.size() < target)) {
          EntryId id = next;
          if (freed.empty()) {
            ++next;
          } else {
            id = freed.back();
            freed.pop_back();
          }
          policy.on_insert(id, {.key_hash = hash_of(random() % 5'000), .bytes = size, .cost = 1});
          held[id] = size;
          bytes += size;
        } else if (kind < 5) {
          const EntryId id = any();
          policy.on_erase(id);
          drop(id);
        } else if (kind < 6) {
          const EntryId id = any();
          bytes += size;
          bytes -= held[id];
          held[id] = size;
          policy.on_update(id, {.key_hash = hash_of(1), .bytes = size, .cost = 2});
        } else if (kind < 7) {
          drop(policy.evict());
        } else {
          policy.on_hit(any());
        }
        ASSERT_EQ(policy.size(), held.size());
        ASSERT_EQ(policy.bytes(), bytes);
      }
    }
  }
}

TEST(Learned, EqualCallsGiveEqualVictims) {
  const auto trace = testing::with_scans(testing::zipf_trace(30'000, 3'000, 0.8, 2), 2'000, 300);
  LearnedOptions options{.frozen = testing::model_of(testing::kAccessesInput, 1), .seed = 9};
  EXPECT_EQ(misses_of(options, trace, 300), misses_of(options, trace, 300));
}

TEST(Learned, FollowsTheExpertThatMissesLeast) {
  // A loop larger than the cache: LRU misses all of it, W-TinyLFU keeps a part.
  const auto trace = loop(60'000, 400);
  EXPECT_EQ(misses_of(Lru(), trace, 300), 60'000U);
  Shadow<Learned> cache(Learned({.seed = 1}), 300);
  std::uint64_t misses = 0;
  for (const Key key : trace)
    misses += cache.access({.key_hash = hash_of(key), .bytes = 1}) ? 0 : 1;
  EXPECT_LT(misses, 30'000U);
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  std::string_view best;
  for (const ExpertRecord& expert : cache.policy().experts()) {
    if (expert.name.empty() || expert.misses >= least) continue;
    least = expert.misses;
    best = expert.name;
  }
  EXPECT_EQ(cache.policy().leader(), best);
  EXPECT_GT(cache.policy().switches(), 0U);
}

TEST(Learned, IsNotMisledByAModelThatIsWrong) {
  const auto trace = testing::zipf_trace(100'000, 5'000, 0.9, 3);
  const std::uint64_t without = misses_of(LearnedOptions{.seed = 1}, trace, 500);
  // It would evict what is asked for most.
  const std::uint64_t with_bad = misses_of(
      LearnedOptions{.frozen = testing::model_of(testing::kAgeInput, 30), .seed = 1}, trace, 500);
  EXPECT_LT(static_cast<double>(with_bad), 1.02 * static_cast<double>(without));
  for (const Scored::Model& model : std::vector<Scored::Model>{
           std::make_shared<testing::FailingModel>(), std::make_shared<testing::NanModel>()}) {
    const std::uint64_t failing = misses_of(LearnedOptions{.frozen = model, .seed = 1}, trace, 500);
    EXPECT_LT(static_cast<double>(failing), 1.02 * static_cast<double>(without));
  }
}

TEST(Learned, APinnedExpertAlwaysLeads) {
  const auto trace = loop(20'000, 400);
  EXPECT_GT(misses_of(LearnedOptions{.seed = 1, .pinned = "lru"}, trace, 300), 19'999U);
  EXPECT_EQ(misses_of(LearnedOptions{.seed = 1, .pinned = "lru"},
                      testing::zipf_trace(30'000, 2'000, 0.8, 4), 200),
            misses_of(Lru(), testing::zipf_trace(30'000, 2'000, 0.8, 4), 200));
}

TEST(Learned, ANewModelTakesPartFromThenOn) {
  const auto trace = testing::zipf_trace(60'000, 3'000, 0.9, 5);
  Shadow<Learned> cache(Learned({.seed = 1}), 300);
  for (const Key key : trace) cache.access({.key_hash = hash_of(key), .bytes = 1});
  const auto took_part = [&] {
    for (const ExpertRecord& expert : cache.policy().experts()) {
      if (expert.name == "online") return expert.misses > 0;
    }
    return false;
  };
  EXPECT_FALSE(took_part());
  cache.policy().set_online(testing::model_of(testing::kAccessesInput, 4));
  for (const Key key : trace) cache.access({.key_hash = hash_of(key), .bytes = 1});
  EXPECT_TRUE(took_part());
}

// Bytes an entry at most, with all experts, ghosts, and samples that wait for their horizons.
std::size_t most_bytes_per_entry(std::size_t entries, Objective objective,
                                 std::string_view leader) {
  std::size_t told = 0;
  Shadow<Learned> cache(Learned({.frozen = testing::model_of(testing::kAccessesInput, 1),
                                 .objective = objective,
                                 .seed = 1,
                                 .examples = [&](const predictor::Example&) { ++told; },
                                 .pinned = leader}),
                        entries);
  cache.policy().set_online(testing::model_of(testing::kAgeInput, 1));
  std::size_t most = 0;
  for (Key i = 0; i < 12 * entries; ++i) {
    const Key key = i % 3 == 0 ? i / 3 % (2 * entries) : 1'000'000 + i;
    cache.access({.key_hash = hash_of(key), .bytes = 1});
    if (i % 61 == 0) most = std::max(most, cache.policy().memory_bytes());
  }
  EXPECT_GT(told, entries / 10);
  return most / entries;
}

TEST(Learned, ItsMemoryIsBoundedByTheEntries) {
  for (const std::string_view leader : {"s3fifo", "arc", "wtinylfu", "online"}) {
    for (const std::size_t entries : {256U, 511U, 1'000U, 10'000U}) {
      EXPECT_LE(most_bytes_per_entry(entries, Objective::kMisses, leader), 300)
          << leader << entries;
    }
  }
  for (const std::string_view leader : {"gdsf", "arc"}) {
    EXPECT_LE(most_bytes_per_entry(511, Objective::kCost, leader), 300) << leader;
  }
}

}  // namespace
}  // namespace vcache::l1::policy
