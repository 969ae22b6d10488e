#include "l2/pool.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "base/interruption.hpp"
#include "l2/command/generation.hpp"
#include "support/fake_clock.hpp"
#include "support/redis_server.hpp"

namespace vcache::l2 {
namespace {

using client::Deadline;
using std::chrono::milliseconds;
using std::chrono::seconds;

Deadline in(milliseconds time) { return Deadline::clock::now() + time; }

class PoolTest : public ::testing::Test {
 protected:
  RedisOptions options() const {
    RedisOptions out;
    out.port = server_.port();
    return out;
  }
  base::Result<Pool::Lease> acquire() { return pool_.acquire(in(seconds(2))); }
  // A round trip on the connection.
  base::Error use(Pool::Lease& lease, milliseconds time = seconds(2)) {
    command::ReadGeneration batch(context_);
    batch.append(lease.connection().request());
    return lease.connection().exchange(batch, in(time));
  }

  testing::RedisServer server_;
  testing::FakeClock clock_;
  RedisOptions options_ = options();
  ServerFacts facts_{clock_};
  ErrorCounters errors_;
  command::Context context_{"ns", 1000, facts_, errors_};
  Dialer dialer_{options_, context_};
  Pool pool_{dialer_, 2};
};

TEST_F(PoolTest, ConnectsWhenNeededAndLendsAgain) {
  EXPECT_EQ(pool_.connections(), 0U);
  int first = 0;
  {
    auto lease = acquire();
    ASSERT_TRUE(lease.ok());
    EXPECT_TRUE(lease.value().fresh());
    first = lease.value().connection().descriptor();
    EXPECT_TRUE(use(lease.value()).ok());
  }
  auto lease = acquire();
  EXPECT_FALSE(lease.value().fresh());
  EXPECT_EQ(lease.value().connection().descriptor(), first);
  EXPECT_EQ(pool_.connections(), 1U);
}

TEST_F(PoolTest, IsBoundedAndWaitsMilliseconds) {
  const auto one = acquire();
  std::optional<base::Result<Pool::Lease>> two(acquire());
  const auto start = Deadline::clock::now();
  EXPECT_EQ(acquire().error().code, base::ErrorCode::kBusy);
  EXPECT_LT(Deadline::clock::now() - start, seconds(1));
  two.reset();
  EXPECT_TRUE(acquire().ok());
}

TEST_F(PoolTest, WhoIsPatientWaitsForHalfOfHisTime) {
  const auto one = acquire();
  std::optional<base::Result<Pool::Lease>> two(acquire());
  std::binary_semaphore begun{0};
  bool taken = false;
  std::jthread waiter([&] {
    begun.release();
    taken = pool_.acquire(in(seconds(60)), Pool::Patience::kHalf).ok();
  });
  begun.acquire();
  for (int round = 0; round < 4; ++round) {
    EXPECT_EQ(acquire().error().code, base::ErrorCode::kBusy) << "others lose patience meanwhile";
  }
  two.reset();
  waiter.join();
  EXPECT_TRUE(taken);
}

TEST_F(PoolTest, WhoIsPatientLeavesTheServerTime) {
  const auto one = acquire();
  const auto two = acquire();
  const Deadline deadline = in(seconds(1));
  EXPECT_EQ(pool_.acquire(deadline, Pool::Patience::kHalf).error().code, base::ErrorCode::kBusy);
  EXPECT_LT(Deadline::clock::now(), deadline);
}

TEST_F(PoolTest, WhoIsPatientStopsWhenToldTo) {
  const auto one = acquire();
  const auto two = acquire();
  const std::atomic<bool> stop{true};
  base::ErrorCode code = base::ErrorCode::kOk;
  std::jthread([&] {
    base::interrupt_when(stop);
    code = pool_.acquire(in(seconds(60)), Pool::Patience::kHalf).error().code;
  }).join();
  EXPECT_EQ(code, base::ErrorCode::kInterrupted);
}

TEST_F(PoolTest, OneThatComesBackGoesToWhoWaits) {
  Pool patient(dialer_, 2, seconds(60));
  const auto acquire_patiently = [&] { return patient.acquire(in(seconds(60))); };
  const auto one = acquire_patiently();
  int taken = 0;
  for (int round = 0; round < 100; ++round) {
    std::optional<base::Result<Pool::Lease>> two(acquire_patiently());
    std::jthread waiter([&] { taken += acquire_patiently().ok() ? 1 : 0; });
    two.reset();
  }
  EXPECT_EQ(taken, 100);
}

TEST_F(PoolTest, AConnectionThatIsOwedRepliesIsClosed) {
  int spent = 0;
  {
    auto lease = acquire();
    spent = lease.value().connection().descriptor();
    server_.freeze();
    EXPECT_EQ(use(lease.value(), milliseconds(20)).code, base::ErrorCode::kTimeout);
    EXPECT_FALSE(lease.value().connection().reusable());
  }
  EXPECT_EQ(pool_.connections(), 0U);
  EXPECT_EQ(::send(spent, "", 0, MSG_NOSIGNAL), -1) << "closed";
  server_.thaw();
  auto lease = acquire();
  EXPECT_TRUE(lease.value().fresh());
  EXPECT_TRUE(use(lease.value()).ok());
}

// Counts what it is answered.
class CountingSink final : public client::ReplySink {
 public:
  void on_part(const client::ReplyPart& /*part*/) noexcept override { ++parts; }
  int parts = 0;
};

// R02: no connection goes back dirty, wherever its caller left it, without a word of an error.
TEST_F(PoolTest, R02AConnectionLeftBeforeItsLastReplyIsClosed) {
  for (const int answers : {0, 1, 2}) {
    CountingSink sink;
    int left = 0;
    {
      auto lease = acquire();
      client::Connection& connection = lease.value().connection();
      left = connection.descriptor();
      client::Request& request = connection.request();
      for (const char* word : {"PING", "PING"}) {
        request.command(1);
        request.argument(word);
      }
      request.command(3);
      for (const char* word : {"BLPOP", "nothing", "0"}) request.argument(word);
      ASSERT_TRUE(connection.start(sink).ok());
      while (sink.parts < answers) {
        pollfd socket{.fd = left, .events = connection.wants(), .revents = 0};
        ASSERT_EQ(::poll(&socket, 1, 10'000), 1);
        ASSERT_TRUE(connection.step(sink, socket.revents).ok());
      }
      EXPECT_FALSE(connection.done());
      EXPECT_FALSE(connection.reusable());
    }
    EXPECT_EQ(pool_.connections(), 0U) << answers;
    EXPECT_EQ(::send(left, "", 0, MSG_NOSIGNAL), -1) << "closed";
    auto lease = acquire();
    EXPECT_TRUE(lease.value().fresh());
    EXPECT_TRUE(use(lease.value()).ok());
    lease.value().connection().spend();  // the next round is to connect too
  }
}

TEST_F(PoolTest, AConnectionWithBytesNobodyAskedForIsClosed) {
  {
    auto lease = acquire();
    // A command behind the connection's back: its reply is owed to nobody.
    ASSERT_EQ(::send(lease.value().connection().descriptor(), "PING\r\n", 6, MSG_NOSIGNAL), 6);
    ASSERT_TRUE(testing::poll_until([&] { return !lease.value().connection().quiet(); }));
    EXPECT_TRUE(lease.value().connection().reusable()) << "it cannot know yet";
  }
  EXPECT_TRUE(acquire().value().fresh());
}

TEST_F(PoolTest, AConnectionClosedByTheServerIsReplaced) {
  {
    EXPECT_TRUE(acquire().ok());
  }
  server_.kill();
  server_.start();
  auto lease = acquire();
  ASSERT_TRUE(lease.ok());
  EXPECT_TRUE(lease.value().fresh());
}

TEST_F(PoolTest, InvalidatedConnectionsAreNotLentAgain) {
  {
    EXPECT_TRUE(acquire().ok());
  }
  {
    auto out = acquire();
    EXPECT_FALSE(out.value().fresh());
    pool_.invalidate();
  }
  EXPECT_EQ(pool_.connections(), 0U);
  {
    EXPECT_TRUE(acquire().value().fresh());
  }
  pool_.invalidate();
  EXPECT_EQ(pool_.connections(), 0U);
}

TEST_F(PoolTest, AFailedConnectFreesItsPlace) {
  server_.kill();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(acquire().error().code, base::ErrorCode::kConnect);
  EXPECT_EQ(pool_.connections(), 0U);
  server_.start();
  EXPECT_TRUE(acquire().ok());
}

TEST_F(PoolTest, ClosedItLendsNothingAndKeepsNothing) {
  {
    const auto out = acquire();
    pool_.close();
    EXPECT_EQ(acquire().error().code, base::ErrorCode::kClosed);
    EXPECT_EQ(pool_.connections(), 1U);
  }
  EXPECT_EQ(pool_.connections(), 0U);
}

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) != -1; }

// A child that closes what it inherited and opens files has those numbers in use for others.
TEST_F(PoolTest, AbandonedItClosesItsOwnSocketsOnly) {
  auto one = acquire();
  auto two = acquire();
  const int kept = one.value().connection().descriptor();
  const int reused = two.value().connection().descriptor();
  const pid_t child = ::fork();
  if (child == 0) {
    const int file = ::open("/dev/null", O_RDONLY);
    const bool replaced = ::dup2(file, reused) == reused;
    pool_.abandon();
    ::_exit(replaced && is_open(reused) && !is_open(kept) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(use(one.value()).ok());
  EXPECT_TRUE(use(two.value()).ok());
}

TEST_F(PoolTest, TooManyClientsHalvesIt) {
  server_.call({"CONFIG", "SET", "maxclients", "1"});
  const auto one = acquire();
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(acquire().error().code, base::ErrorCode::kConnect);
  EXPECT_EQ(acquire().error().code, base::ErrorCode::kBusy) << "the limit is one for now";
}

}  // namespace
}  // namespace vcache::l2
