#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "cache/tiered_cache.hpp"
#include "l2/null_l2.hpp"
#include "support/in_child.hpp"
#include "support/map_l2.hpp"

namespace vcache::cache {
namespace {

using std::chrono::seconds;
using testing::holds_in_child;

constexpr Lifetimes kLong{.ttl = seconds(100), .memory_ttl = seconds(10)};

CacheOptions options() {
  CacheOptions made{.jitter = 0};
  made.memory = {.bytes = std::size_t{32} << 20, .seed = 3};
  return made;
}

base::ValueView value() {
  static const std::array<std::byte, 64> payload{};
  return {.payload = payload};
}

// A key of a group of its own, so that all locks of the cache are taken.
std::string key_of(int i) { return "group" + std::to_string(i) + ":key"; }

void read_and_write(TieredCache& cache, int i) {
  const std::string key = key_of(i);
  (void)cache.put(key, value(), kLong);
  (void)cache.find_memory(key);
  cache.count_miss(key);
  (void)cache.memory().stats();
  (void)cache.counters().snapshot();
}

TEST(ForkedCacheTest, AChildOfABusyProcessIsNotBlocked) {
  if (!testing::kForksUnderLoad) GTEST_SKIP() << "the allocator of AddressSanitizer may be locked";
  TieredCache cache(options(), std::make_unique<l2::NullL2>(), false, base::system_clock());
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, &done, t] {
      for (int i = t; !done; i += 4) read_and_write(cache, i % 4000);
    });
  }
  bool all_answered = true;
  for (int i = 0; i < 50 && all_answered; ++i) {
    all_answered = holds_in_child([&] {
      for (int k = 0; k < 200; ++k) read_and_write(cache, k);
      return static_cast<bool>(cache.find_memory(key_of(0)));
    });
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(all_answered);
}

TEST(ForkedCacheTest, AChildPromotesWhatItsParentWasWriting) {
  auto owned = std::make_unique<testing::MapL2>();
  testing::MapL2* redis = owned.get();
  TieredCache cache(options(), std::move(owned), true, base::system_clock());
  (void)cache.put("a", value(), kLong);
  bool promoted = false;
  redis->before_store = [&] {  // the write below is under way
    std::thread([&] {
      promoted = holds_in_child([&] {
        cache.memory().clear();
        Located located;
        (void)cache.find_redis("a", located);
        return located.tier == Tier::kRedis && static_cast<bool>(cache.peek_memory("a"));
      });
    }).join();
  };
  (void)cache.put("a", value(), kLong);
  EXPECT_TRUE(promoted);
  EXPECT_TRUE(cache.peek_memory("a"));
}

TEST(ForkedCacheTest, ForgettingEndsWritesAndFills) {
  FillGuard guard;
  const std::array<std::string_view, 2> keys = {"a", "b"};
  const WriteMark one(guard, keys);
  const WriteMark another(guard, keys);
  const FillGuard::Token before = guard.begin_fill();
  EXPECT_FALSE(guard.may_keep("a", before));
  guard.forget_all();
  EXPECT_FALSE(guard.may_keep("a", before));
  EXPECT_TRUE(guard.may_keep("a", guard.begin_fill()));
}

}  // namespace
}  // namespace vcache::cache
