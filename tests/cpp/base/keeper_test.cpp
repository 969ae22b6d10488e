#include "base/keeper.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "support/in_child.hpp"
#include "support/poll_until.hpp"

namespace vcache::base {
namespace {

using testing::holds_in_child;
using testing::kThreadsInChildren;
using testing::poll_until;

constexpr Millis kLater = std::chrono::hours(1);

// Counts its runs; each calls `body`, and is followed by the next after what that returns.
class Counted final : public Chore {
 public:
  explicit Counted(std::function<Millis()> body = [] { return kLater; }) : body_(std::move(body)) {}

  Millis run() noexcept override {
    const Millis pause = body_();
    ++runs;
    return pause;
  }
  void interrupt() noexcept override {}

  std::atomic<int> runs{0};

 private:
  const std::function<Millis()> body_;
};

// A step that a chore waits at until the test opens it.
class Gate {
 public:
  void pass() {
    reached_.set_value();
    opened_.get_future().wait();
  }
  void await() { reached_.get_future().wait(); }
  void open() { opened_.set_value(); }

 private:
  std::promise<void> reached_;
  std::promise<void> opened_;
};

TEST(KeeperTest, HasNoThreadBeforeTheFirstChore) {
  Keeper keeper;
  EXPECT_FALSE(keeper.running());
  Counted chore;
  EXPECT_TRUE(keeper.add(chore));
  EXPECT_TRUE(keeper.running());
  EXPECT_TRUE(poll_until([&] { return chore.runs == 1; }));
  keeper.stop();
  EXPECT_FALSE(keeper.running());
}

TEST(KeeperTest, RunsEachChoreAgainAfterItsPause) {
  Counted often([] { return Millis(1); });
  Counted seldom;
  Keeper keeper;
  ASSERT_TRUE(keeper.add(often));
  ASSERT_TRUE(keeper.add(seldom));
  EXPECT_TRUE(poll_until([&] { return often.runs > 20; }));
  EXPECT_EQ(seldom.runs, 1);
}

TEST(KeeperTest, AWokenChoreRunsAtOnce) {
  Counted chore;
  Keeper keeper;
  ASSERT_TRUE(keeper.add(chore));
  for (int i = 1; i < 20; ++i) {
    ASSERT_TRUE(poll_until([&] { return chore.runs == i; }));
    i % 2 == 0 ? keeper.wake(chore) : static_cast<void>(keeper.add(chore));
  }
}

TEST(KeeperTest, AChoreWokenWhileItRunsRunsOnceMore) {
  Gate gate;
  bool first = true;
  Counted chore([&] {
    if (std::exchange(first, false)) gate.pass();
    return kLater;
  });
  Keeper keeper;
  ASSERT_TRUE(keeper.add(chore));
  gate.await();
  keeper.wake(chore);
  keeper.wake(chore);
  gate.open();
  EXPECT_TRUE(poll_until([&] { return chore.runs == 2; }));
}

TEST(KeeperTest, RemoveWaitsForARunUnderWay) {
  Gate gate;
  Counted chore([&] {
    gate.pass();
    return Millis(0);
  });
  Keeper keeper;
  ASSERT_TRUE(keeper.add(chore));
  gate.await();
  std::future<int> runs_when_removed = std::async(std::launch::async, [&] {
    keeper.remove(chore);
    return chore.runs.load();
  });
  EXPECT_EQ(runs_when_removed.wait_for(Millis(20)), std::future_status::timeout);
  gate.open();
  EXPECT_EQ(runs_when_removed.get(), 1);
  keeper.wake(chore);
  Counted other;
  ASSERT_TRUE(keeper.add(other));
  EXPECT_TRUE(poll_until([&] { return other.runs == 1; }));
  EXPECT_EQ(chore.runs, 1);
}

TEST(KeeperTest, AChoreMayRemoveItselfAndAddOthers) {
  Keeper keeper;
  Counted second;
  std::unique_ptr<Counted> first;
  first = std::make_unique<Counted>([&] {
    keeper.remove(*first);
    keeper.add(second);
    return Millis(0);
  });
  ASSERT_TRUE(keeper.add(*first));
  EXPECT_TRUE(poll_until([&] { return second.runs == 1; }));
  EXPECT_EQ(first->runs, 1);
}

TEST(KeeperTest, StopEndsForGood) {
  Keeper keeper;
  Counted chore([] { return Millis(0); });
  ASSERT_TRUE(keeper.add(chore));
  {
    std::vector<std::jthread> stoppers;
    for (int i = 0; i < 3; ++i) stoppers.emplace_back([&] { keeper.stop(); });
  }
  const int runs = chore.runs;
  EXPECT_TRUE(keeper.stopping());
  EXPECT_FALSE(keeper.add(chore));
  keeper.wake(chore);
  keeper.remove(chore);
  EXPECT_EQ(chore.runs, runs);
}

TEST(KeeperTest, AChoreThatAsksIsStoppedWithinASecond) {
  Keeper keeper;
  Counted chore([&] {
    (void)poll_until([&] { return keeper.stopping(); }, std::chrono::minutes(1));
    return kLater;
  });
  ASSERT_TRUE(keeper.add(chore));
  const auto start = std::chrono::steady_clock::now();
  keeper.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST(KeeperTest, AChoreMayBeTheOneThatEndsIt) {
  auto keeper = std::make_unique<Keeper>();
  std::promise<void> ended;
  Counted chore([&] {
    keeper.reset();
    ended.set_value();
    return Millis(0);
  });
  ASSERT_TRUE(keeper->add(chore));
  ended.get_future().wait();
  EXPECT_TRUE(poll_until([&] { return chore.runs == 1; }));
}

TEST(KeeperTest, ItsThreadTakesNoSignal) {
  std::promise<bool> all_blocked;
  Counted chore([&] {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    bool all = true;
    for (const int number : {SIGINT, SIGTERM, SIGALRM, SIGPROF, SIGCHLD, SIGUSR1}) {
      all &= sigismember(&blocked, number) == 1;
    }
    all_blocked.set_value(all);
    return kLater;
  });
  Keeper keeper;
  ASSERT_TRUE(keeper.add(chore));
  EXPECT_TRUE(all_blocked.get_future().get());
  sigset_t ours;
  pthread_sigmask(SIG_SETMASK, nullptr, &ours);
  EXPECT_EQ(sigismember(&ours, SIGINT), 0);
}

TEST(KeeperTest, ManyThreadsAddWakeAndRemove) {
  Keeper keeper;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        Counted chore([] { return Millis(0); });
        ASSERT_TRUE(keeper.add(chore));
        keeper.wake(chore);
        ASSERT_TRUE(i % 2 == 0 || poll_until([&] { return chore.runs > 0; }));
        keeper.remove(chore);
      }
    });
  }
}

TEST(KeeperForkTest, AChildAbandonsItAndMakesItsOwn) {
  Gate gate;
  Counted chore([&] {
    gate.pass();
    return kLater;
  });
  auto keeper = std::make_unique<Keeper>();
  ASSERT_TRUE(keeper->add(chore));
  gate.await();
  EXPECT_TRUE(!kThreadsInChildren || holds_in_child([&] {
    const bool idle = !keeper->running() && keeper->stopping() && !keeper->add(chore);
    keeper->wake(chore);
    keeper->remove(chore);
    keeper.reset();
    Keeper own;
    Counted childs;
    return idle && own.add(childs) && poll_until([&] { return childs.runs == 1; });
  }));
  gate.open();
  EXPECT_TRUE(poll_until([&] { return chore.runs == 1; }));
}

// In a child, since it is for the end of a process.
TEST(KeeperEndTest, StopAllStopsThoseThatAreAndThoseToCome) {
  EXPECT_TRUE(holds_in_child([] {
    Keeper first;
    Keeper second;
    Counted chore([] { return Millis(0); });
    if (!first.add(chore) || !second.add(chore)) return false;
    Keeper::stop_all();
    const int runs = chore.runs;
    Keeper third;
    return !first.running() && !second.running() && !third.add(chore) && chore.runs == runs;
  }));
}

}  // namespace
}  // namespace vcache::base
