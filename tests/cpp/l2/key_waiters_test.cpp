#include "l2/key_waiters.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>

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
