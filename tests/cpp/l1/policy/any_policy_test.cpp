#include "l1/policy/any_policy.hpp"

#include <gtest/gtest.h>

#include <array>

#include "policy_cache.hpp"

namespace vcache::l1::policy {
namespace {

using testing::Key;

TEST(AnyPolicy, IsMadeByEachName) {
  ASSERT_EQ(policy_names().size(), 8U);
  for (const std::string_view wanted : policy_names()) {
    const auto policy = make_policy(wanted, 1);
    ASSERT_TRUE(policy.has_value());
    EXPECT_EQ(name(*policy), wanted);
    EXPECT_EQ(size(*policy), 0U);
  }
}

TEST(AnyPolicy, UnknownNamesGiveNone) {
  for (const std::string_view name : {"", "LRU", "lru ", "fifo"}) {
    EXPECT_FALSE(make_policy(name, 1).has_value());
  }
}

TEST(AnyPolicy, BatchOfHitsCountsInOrder) {
  AnyPolicy policy = *make_policy("lru", 1);
  for (EntryId id = 0; id < 4; ++id) on_insert(policy, id, {.bytes = 5});
  on_hits(policy, std::array<EntryId, 4>{2, 0, 2, 1});
  EXPECT_EQ(bytes(policy), 20U);
  for (const EntryId victim : {3U, 0U, 2U, 1U}) EXPECT_EQ(evict(policy), victim);
}

// First in, first out: hits change nothing.
class Fifo : public Lru {
 public:
  void on_hit(EntryId /*id*/) noexcept {}
};

template <class P>
double on_scanned_zipf(P policy) {
  const auto trace =
      testing::with_scans(testing::zipf_trace(300'000, 50'000, 1.0, 42), 5'000, 1'000);
  testing::PolicyCache<P> cache(1'000, std::move(policy));
  return testing::hit_ratio(cache, trace);
}

TEST(AnyPolicy, ModernPoliciesBeatTheOldOnesUnderScans) {
  const double fifo = on_scanned_zipf(Fifo());
  const double lru = on_scanned_zipf(Lru());
  const double old = std::max(fifo, lru);
  EXPECT_GT(lru, fifo);
  EXPECT_GT(on_scanned_zipf(S3Fifo()), old + 0.02);
  EXPECT_GT(on_scanned_zipf(Sieve()), old + 0.02);
  EXPECT_GT(on_scanned_zipf(WTinyLfu(1)), old + 0.02);
}

}  // namespace
}  // namespace vcache::l1::policy
