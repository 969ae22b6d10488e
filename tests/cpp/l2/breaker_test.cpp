#include "l2/breaker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "support/fake_clock.hpp"

namespace vcache::l2 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeClock;
using Verdict = Breaker::Verdict;

class BreakerTest : public ::testing::Test {
 protected:
  void call(Verdict verdict) {
    Breaker::Permit permit = breaker_.allow();
    ASSERT_TRUE(permit);
    permit.report(verdict);
  }
  void call(Verdict verdict, int times) {
    for (int i = 0; i < times; ++i) call(verdict);
  }
  [[nodiscard]] bool denied() { return !breaker_.allow(); }

  FakeClock clock_;
  Breaker breaker_{clock_, {}, 1};
};

TEST_F(BreakerTest, OpensAtTheFifthFailureInARow) {
  call(Verdict::kBad, 4);
  call(Verdict::kGood);
  call(Verdict::kBad, 4);
  EXPECT_EQ(breaker_.state(), Breaker::State::kClosed);
  call(Verdict::kBad);
  EXPECT_EQ(breaker_.state(), Breaker::State::kOpen);
  EXPECT_TRUE(denied());
}

TEST_F(BreakerTest, OpensWhenHalfOfTwentyAreBad) {
  for (int i = 0; i < 9; ++i) {
    call(Verdict::kBad);
    call(Verdict::kGood);
  }
  call(Verdict::kGood);
  EXPECT_EQ(breaker_.state(), Breaker::State::kClosed) << "19 calls are too few";
  call(Verdict::kBad);
  EXPECT_EQ(breaker_.state(), Breaker::State::kOpen);
}

TEST_F(BreakerTest, SlowCallsCount) {
  call(Verdict::kSlow, 19);
  EXPECT_EQ(breaker_.state(), Breaker::State::kClosed);
  call(Verdict::kSlow);
  EXPECT_EQ(breaker_.state(), Breaker::State::kOpen);
}

TEST_F(BreakerTest, ForgetsAfterTenSeconds) {
  for (int i = 0; i < 9; ++i) {
    call(Verdict::kBad);
    call(Verdict::kSlow);
  }
  clock_.advance(seconds(11));
  for (int i = 0; i < 10; ++i) {
    call(Verdict::kGood);
    call(Verdict::kGood);
  }
  call(Verdict::kBad);
  EXPECT_EQ(breaker_.state(), Breaker::State::kClosed);
}

TEST_F(BreakerTest, LetsOneProbeThroughAfterThePause) {
  call(Verdict::kBad, 5);
  clock_.advance(milliseconds(249));
  EXPECT_TRUE(denied()) << "the pause is 500 ms, give or take half";
  clock_.advance(milliseconds(502));
  Breaker::Permit probe = breaker_.allow();
  ASSERT_TRUE(probe);
  EXPECT_EQ(breaker_.state(), Breaker::State::kHalfOpen);
  EXPECT_TRUE(denied()) << "one at a time";
  probe.report(Verdict::kGood);
  EXPECT_EQ(breaker_.state(), Breaker::State::kClosed);
}

TEST_F(BreakerTest, ABadProbeStartsTheNextPause) {
  call(Verdict::kBad, 5);
  for (int i = 0; i < 20; ++i) {
    clock_.advance(milliseconds(751));
    call(Verdict::kBad);
    EXPECT_TRUE(denied());
  }
}

TEST_F(BreakerTest, AProbeThatNeverReportsIsReplaced) {
  call(Verdict::kBad, 5);
  clock_.advance(milliseconds(751));
  Breaker::Permit lost = breaker_.allow();
  ASSERT_TRUE(lost);
  clock_.advance(milliseconds(999));
  EXPECT_TRUE(denied());
  clock_.advance(milliseconds(2));
  Breaker::Permit next = breaker_.allow();
  ASSERT_TRUE(next);
  lost.report(Verdict::kGood);
  EXPECT_EQ(breaker_.state(), Breaker::State::kHalfOpen) << "too late to count";
  next.report(Verdict::kGood);
  EXPECT_EQ(breaker_.state(), Breaker::State::kClosed);
}

TEST_F(BreakerTest, AProbeThatWasNotSentIsFollowedByAnother) {
  call(Verdict::kBad, 5);
  clock_.advance(milliseconds(751));
  {
    const Breaker::Permit dropped = breaker_.allow();
  }
  EXPECT_EQ(breaker_.state(), Breaker::State::kOpen);
  call(Verdict::kGood);
  EXPECT_EQ(breaker_.state(), Breaker::State::kClosed);
}

TEST_F(BreakerTest, MissingCredentialsPauseForLong) {
  call(Verdict::kCredentials);
  clock_.advance(seconds(29));
  EXPECT_TRUE(denied());
  clock_.advance(seconds(1));
  call(Verdict::kCredentials);
  clock_.advance(seconds(29));
  EXPECT_TRUE(denied());
  clock_.advance(seconds(1));
  call(Verdict::kGood);
  EXPECT_EQ(breaker_.state(), Breaker::State::kClosed);
}

TEST_F(BreakerTest, ReportsFromBeforeAChangeDoNotCount) {
  std::vector<Breaker::Permit> late;
  for (int i = 0; i < 50; ++i) late.push_back(breaker_.allow());
  call(Verdict::kBad, 5);
  clock_.advance(milliseconds(751));
  call(Verdict::kGood);
  for (Breaker::Permit& permit : late) permit.report(Verdict::kBad);
  EXPECT_EQ(breaker_.state(), Breaker::State::kClosed);
}

TEST_F(BreakerTest, PausesVary) {
  std::vector<int> pauses;
  for (int round = 0; round < 50; ++round) {
    FakeClock clock;
    Breaker breaker(clock, {}, static_cast<std::uint64_t>(round));
    for (int i = 0; i < 5; ++i) breaker.allow().report(Verdict::kBad);
    int pause = 0;
    for (; !breaker.allow(); ++pause) clock.advance(milliseconds(1));
    EXPECT_GE(pause, 250);
    EXPECT_LE(pause, 751);
    pauses.push_back(pause);
  }
  EXPECT_GT(*std::ranges::max_element(pauses) - *std::ranges::min_element(pauses), 200);
}

TEST_F(BreakerTest, RequestsAreNoProbesWhereSomebodySendsThose) {
  breaker_.leave_probes_to_others();
  EXPECT_FALSE(breaker_.next_probe());
  EXPECT_FALSE(breaker_.allow_probe());
  call(Verdict::kBad, 5);
  EXPECT_FALSE(breaker_.allow_probe()) << "none is due yet";
  ASSERT_TRUE(breaker_.next_probe());
  EXPECT_GE(*breaker_.next_probe(), milliseconds(250));
  EXPECT_LE(*breaker_.next_probe(), milliseconds(750));
  clock_.advance(seconds(60));
  EXPECT_EQ(breaker_.next_probe(), base::Nanos(0));
  EXPECT_TRUE(denied());
  EXPECT_TRUE(breaker_.refuses());
  Breaker::Permit probe = breaker_.allow_probe();
  ASSERT_TRUE(probe);
  EXPECT_FALSE(breaker_.allow_probe());
  EXPECT_TRUE(denied());
  probe.report(Verdict::kBad);
  EXPECT_TRUE(denied());
  clock_.advance(milliseconds(751));
  breaker_.allow_probe().report(Verdict::kGood);
  EXPECT_FALSE(breaker_.refuses());
  call(Verdict::kGood);
}

TEST(BreakerWatcherTest, IsToldOfOpeningAndClosingOnly) {
  FakeClock clock;
  std::vector<std::pair<Breaker::State, Verdict>> told;
  Breaker breaker(clock, {}, 1, [&](auto... change) { told.emplace_back(change...); });
  for (int i = 0; i < 5; ++i) breaker.allow().report(Verdict::kBad);
  for (int i = 0; i < 3; ++i) {
    clock.advance(milliseconds(751));
    breaker.allow().report(Verdict::kBad);
  }
  clock.advance(milliseconds(751));
  breaker.allow().report(Verdict::kSlow);
  breaker.allow().report(Verdict::kCredentials);
  const std::vector<std::pair<Breaker::State, Verdict>> expected = {
      {Breaker::State::kOpen, Verdict::kBad},
      {Breaker::State::kClosed, Verdict::kSlow},
      {Breaker::State::kOpen, Verdict::kCredentials}};
  EXPECT_EQ(told, expected);
  EXPECT_EQ(breaker.openings(), 2U);
}

// Random calls, reports (also late and lost ones) and waits. Never two probes within the time of
// one; never stuck: as soon as the server is well, two seconds are enough to close.
TEST(R16Test, NeverTwoProbesAndNeverStuck) {
  FakeClock clock;
  Breaker breaker(clock, {}, 3);
  std::mt19937 random(3);
  std::vector<std::pair<Breaker::Permit, bool>> pending;  // with: is a probe
  base::Nanos last_probe{-1};
  std::uint64_t probes = 0;
  std::uint64_t closed_again = 0;

  const auto ask = [&] {
    const bool was_closed = breaker.state() == Breaker::State::kClosed;
    Breaker::Permit permit = breaker.allow();
    if (permit && !was_closed) {
      const bool others = std::ranges::any_of(pending, [](const auto& p) { return p.second; });
      EXPECT_TRUE(!others || clock.steady() - last_probe >= seconds(1));
      last_probe = clock.steady();
      ++probes;
      for (auto& [unused, is_probe] : pending) is_probe = false;
    }
    if (permit) pending.emplace_back(std::move(permit), !was_closed);
  };
  const auto answer = [&] {
    if (pending.empty()) return;
    const std::size_t i = random() % pending.size();
    auto [permit, is_probe] = std::move(pending[i]);
    pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(i));
    permit.report(static_cast<Verdict>(random() % 10 < 7 ? 2 : random() % 5));
  };
  const auto recover = [&] {
    for (int i = 0; i < 40; ++i) {
      clock.advance(seconds(1));
      if (Breaker::Permit permit = breaker.allow()) permit.report(Verdict::kGood);
    }
    EXPECT_EQ(breaker.state(), Breaker::State::kClosed);
    ++closed_again;
    for (auto& [unused, is_probe] : pending) is_probe = false;
  };

  for (int event = 0; event < 1'000'000 && !::testing::Test::HasFailure(); ++event) {
    const auto kind = random() % 1000;
    if (kind < 450) {
      ask();
    } else if (kind < 850) {
      answer();
    } else if (kind < 998) {
      clock.advance(milliseconds(random() % 400));
    } else {
      recover();
    }
    if (pending.size() > 30) pending.erase(pending.begin());
  }
  EXPECT_GT(probes, 1000U);
  EXPECT_GT(closed_again, 1000U);
}

// A server that comes and goes, callers, and somebody who sends the probes that are due.
class Outages {
 public:
  explicit Outages(std::uint32_t seed) : random_(seed), breaker_(clock_, {}, seed) {
    breaker_.leave_probes_to_others();
  }

  void step() {
    clock_.advance(milliseconds(below(40)));
    if (below(1000) == 0) {
      well_ = !well_;
      changed_ = clock_.steady();
    }
    send_probe();
    answer_probe();
    call();
    answer_calls();
    check();
  }

  std::uint64_t probes = 0;
  std::uint64_t outages = 0;

 private:
  [[nodiscard]] std::uint32_t below(std::uint32_t limit) {
    return static_cast<std::uint32_t>(random_()) % limit;
  }
  [[nodiscard]] Verdict verdict() {
    if (!well_) return Verdict::kBad;
    return below(50) == 0 ? Verdict::kSlow : Verdict::kGood;
  }
  [[nodiscard]] bool closed() const { return breaker_.state() == Breaker::State::kClosed; }

  void send_probe() {
    if (breaker_.next_probe() != base::Nanos(0)) return;
    Breaker::Permit permit = breaker_.allow_probe();
    ASSERT_TRUE(permit) << "due, and not to be had";
    ASSERT_FALSE(probe_) << "two at once";
    probe_ = std::move(permit);
    answered_ = clock_.steady() + milliseconds(below(60));
    ++probes;
  }
  void answer_probe() {
    if (!probe_ || clock_.steady() < answered_) return;
    const Verdict answer = verdict();
    probe_.report(answer);
    ASSERT_EQ(closed(), answer != Verdict::kBad);
  }
  void call() {
    const bool was_closed = closed();
    Breaker::Permit permit = breaker_.allow();
    ASSERT_EQ(static_cast<bool>(permit), was_closed);
    if (permit) calls_.push_back(std::move(permit));
  }
  void answer_calls() {
    while (!calls_.empty() && below(3) != 0) {
      const bool was_closed = closed();
      calls_.front().report(below(10) == 0 ? Verdict::kNone : verdict());
      if (was_closed && !closed()) ++outages;
      calls_.pop_front();
    }
  }
  // A pause of 750 ms, a probe of 60, and the steps in which this test sees them.
  void check() {
    if (!well_ || closed()) {
      open_since_ = clock_.steady();
      return;
    }
    const base::Nanos waited = clock_.steady() - std::max(open_since_, changed_);
    ASSERT_LE(waited, milliseconds(750 + 60 + 3 * 40));
  }

  FakeClock clock_;
  std::mt19937 random_;
  Breaker breaker_;
  bool well_ = true;
  base::Nanos changed_{0};
  base::Nanos open_since_{0};
  Breaker::Permit probe_;
  base::Nanos answered_{0};
  std::deque<Breaker::Permit> calls_;
};

TEST(R16Test, WithProbesInTheBackgroundItClosesWithinASecond) {
  std::uint64_t probes = 0;
  std::uint64_t outages = 0;
  for (std::uint32_t seed = 0; seed < 10 && !::testing::Test::HasFailure(); ++seed) {
    Outages run(seed);
    for (int i = 0; i < 10'000 && !::testing::Test::HasFailure(); ++i) run.step();
    probes += run.probes;
    outages += run.outages;
  }
  EXPECT_GT(probes, 500U);
  EXPECT_GT(outages, 20U);
}

TEST(BreakerThreadsTest, OneProbeAmongManyCallers) {
  FakeClock clock;
  Breaker breaker(clock, {}, 9);
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 5; ++i) breaker.allow().report(Verdict::kBad);
    clock.advance(milliseconds(751));
    std::atomic<int> allowed{0};
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
          Breaker::Permit permit = breaker.allow();
          if (!permit) return;
          ++allowed;
          permit.report(Verdict::kCredentials);
        });
      }
    }
    ASSERT_EQ(allowed.load(), 1);
    clock.advance(seconds(31));
    breaker.allow().report(Verdict::kGood);
  }
}

}  // namespace
}  // namespace vcache::l2
