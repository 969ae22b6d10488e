#include "l2/key_waiters.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/in_child.hpp"
#include "support/l2_calls.hpp"
#include "support/poll_until.hpp"

namespace vcache::l2 {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

TEST(KeyWaitersTest, TellsThoseWhoWaitForTheKey) {
  KeyWaiters waiters;
  constexpr std::array<std::string_view, 2> kKeys{"a", "b"};
  constexpr std::array<std::string_view, 1> kOther{"c"};
  KeyWaiters::Ticket ticket(waiters, kKeys);
  const KeyWaiters::Ticket other(waiters, kOther);
  waiters.notify("d");
  EXPECT_FALSE(ticket.wait_until(steady_clock::now()));
  const std::jthread teller([&] { waiters.notify("b"); });
  EXPECT_TRUE(ticket.wait_until(steady_clock::now() + seconds(30)));
  EXPECT_TRUE(ticket.notified());
  EXPECT_FALSE(other.notified());
  waiters.notify_all();
  EXPECT_TRUE(other.notified());
}

TEST(KeyWaitersTest, SeveralWaitForOneKey) {
  KeyWaiters waiters;
  constexpr std::array<std::string_view, 1> kKeys{"a"};
  KeyWaiters::Ticket first(waiters, kKeys);
  {
    const KeyWaiters::Ticket gone(waiters, kKeys);
  }
  KeyWaiters::Ticket second(waiters, kKeys);
  waiters.notify("a");
  EXPECT_TRUE(first.wait_until(steady_clock::now()));
  EXPECT_TRUE(second.wait_until(steady_clock::now()));
}

TEST(KeyWaitersTest, AChildWaitsForNoLockOfItsParents) {
  if (!testing::kForksUnderLoad) GTEST_SKIP() << "the allocator of AddressSanitizer may be locked";
  KeyWaiters waiters;
  constexpr std::array<std::string_view, 1> kKey{"a"};
  std::optional<KeyWaiters::Ticket> own(std::in_place, waiters, kKey);
  // A ticket of so many keys holds the lock most of the time.
  std::vector<std::string> many;
  for (int i = 0; i < 20'000; ++i) many.push_back(std::to_string(i));
  std::atomic<int> rounds = 0;
  std::jthread busy([&](const std::stop_token& stop) {
    for (; !stop.stop_requested(); ++rounds) {
      const KeyWaiters::Ticket ticket(waiters, testing::views(many));
    }
  });
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(testing::poll_until([&, last = rounds.load()] { return rounds > last; }));
    ASSERT_TRUE(testing::holds_in_child([&] {
      waiters.set_told(false);
      waiters.notify("a");
      waiters.notify_all();
      const bool ended = own->wait_until(steady_clock::now() + seconds(60));
      own.reset();
      return ended;
    }));
  }
}

TEST(KeyWaitersTest, ANotificationBeforeTheTicketIsNotHeard) {
  KeyWaiters waiters;
  constexpr std::array<std::string_view, 1> kKeys{"a"};
  waiters.notify("a");
  const KeyWaiters::Ticket late(waiters, kKeys);
  EXPECT_FALSE(late.notified());
  EXPECT_FALSE(waiters.told());
  waiters.set_told(true);
  EXPECT_TRUE(waiters.told());
}

}  // namespace
}  // namespace vcache::l2
