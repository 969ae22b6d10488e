#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "base/value.hpp"

namespace vcache::base {
namespace {

TEST(ClockTest, SteadyNeverGoesBackAndFollowsTheKernel) {
  const Clock& clock = system_clock();
  Nanos last = clock.steady();
  for (int i = 0; i < 1000; ++i) {
    const Nanos now = clock.steady();
    ASSERT_GE(now, last);
    last = now;
  }
  const auto fine = std::chrono::steady_clock::now().time_since_epoch();
  EXPECT_LT(std::chrono::abs(fine - clock.steady()), std::chrono::milliseconds(50));
}

TEST(ClockTest, ManualClockMovesOnlyWhenAdvanced) {
  ManualClock clock(std::chrono::seconds(5));
  EXPECT_EQ(clock.steady(), clock.steady());
  clock.advance(std::chrono::milliseconds(1500));
  EXPECT_EQ(clock.wall(), Millis(6500));
}

TEST(ResultTest, HoldsAValueOrAnError) {
  const Result<int> good = 3;
  const Result<int> bad = Error{ErrorCode::kTimeout, "late"};
  EXPECT_EQ(good.value(), 3);
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(to_string(bad.error().code), "timeout");
}

TEST(HashTest, DependsOnTheSeed) {
  EXPECT_NE(hash64("key", 1), hash64("key", 2));
  EXPECT_EQ(hash64("key", 1), hash64("key", 1));
}

TEST(ValueTest, ItemSizes) {
  EXPECT_EQ(item_size(DType::kFloat16), 2U);
  EXPECT_EQ(item_size(DType::kInt64), 8U);
}

TEST(SpinMutexTest, Excludes) {
  SpinMutex mutex;
  std::int64_t counter = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        const SpinLock lock(mutex);
        ++counter;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, 80000);
}

}  // namespace
}  // namespace vcache::base
