#include "base/fork.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.hpp"
#include "support/in_child.hpp"

namespace vcache::base {
namespace {

using testing::holds_in_child;

class Counted final : public ForkParticipant {
 public:
  int before = 0;
  int in_parent = 0;
  int in_child = 0;

  void before_fork() noexcept override { ++before; }
  void after_fork_in_parent() noexcept override { ++in_parent; }
  void after_fork_in_child() noexcept override { ++in_child; }

 private:
  ForkRegistration registration_{*this};
};

class Locked final : public ForkParticipant {
 public:
  SpinMutex mutex;

  void before_fork() noexcept override VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex.lock(); }
  void after_fork_in_parent() noexcept override VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex.unlock(); }
  void after_fork_in_child() noexcept override VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex.unlock(); }

 private:
  ForkRegistration registration_{*this};
};

TEST(ForkTest, TellsParentAndChild) {
  const Counted counted;
  EXPECT_TRUE(holds_in_child([&] { return counted.before == 1 && counted.in_child == 1; }));
  EXPECT_EQ(counted.before, 1);
  EXPECT_EQ(counted.in_parent, 1);
  EXPECT_EQ(counted.in_child, 0);
}

// Takes part by a look at another one.
class Later final : public ForkParticipant {
 public:
  explicit Later(const Counted& earlier) : earlier_(earlier) {}
  bool was_first = false;
  bool found_it_done = false;

  void before_fork() noexcept override { was_first = earlier_.before == 0; }
  void after_fork_in_parent() noexcept override { found_it_done = earlier_.in_parent == 1; }
  void after_fork_in_child() noexcept override { found_it_done = earlier_.in_child == 1; }

 private:
  const Counted& earlier_;
  ForkRegistration registration_{*this};
};

TEST(ForkTest, WhoRegisteredLaterLocksFirstAndReleasesLast) {
  const Counted earlier;
  const Later later(earlier);
  EXPECT_TRUE(holds_in_child([&] { return later.was_first && later.found_it_done; }));
  EXPECT_TRUE(later.was_first);
  EXPECT_TRUE(later.found_it_done);
}

TEST(ForkTest, LeavesOutWhatIsGone) {
  const Counted first;
  auto second = std::make_unique<Counted>();
  const Counted third;
  second.reset();
  EXPECT_TRUE(holds_in_child([] { return true; }));
  EXPECT_EQ(first.in_parent, 1);
  EXPECT_EQ(third.in_parent, 1);
}

TEST(ForkTest, AChildForksInItsTurn) {
  const Counted counted;
  EXPECT_TRUE(
      holds_in_child([&] { return holds_in_child([&] { return counted.in_child == 2; }); }));
}

TEST(ForkTest, TheChildInheritsNoLockOfAnotherThread) {
  Locked shared;
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (!done) {
        const Locked short_lived;
        for (int i = 0; i < 100; ++i) const SpinLock lock(shared.mutex);
      }
    });
  }
  bool all_free = true;
  for (int i = 0; i < 100; ++i) {
    all_free &= holds_in_child([&] {
      const SpinLock lock(shared.mutex);
      const Locked fresh;
      return true;
    });
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(all_free);
}

}  // namespace
}  // namespace vcache::base
