#include "l2/client/server_error.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vcache::l2::client {
namespace {

struct Case {
  std::string text;
  ErrorKind kind;
  Health health;
};

class ServerErrorTest : public ::testing::TestWithParam<Case> {};

TEST_P(ServerErrorTest, IsSortedByItsFirstWords) {
  const ServerError error = classify(GetParam().text);
  EXPECT_EQ(error.kind, GetParam().kind) << GetParam().text;
  EXPECT_EQ(error.health, GetParam().health) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Replies, ServerErrorTest,
    ::testing::Values(
        Case{"OOM command not allowed when used memory > 'maxmemory'.", ErrorKind::kOom,
             Health::kFine},
        Case{"READONLY You can't write against a read only replica.", ErrorKind::kReadOnly,
             Health::kFine},
        Case{"NOREPLICAS Not enough good replicas to write.", ErrorKind::kNoReplicas,
             Health::kFine},
        Case{"MISCONF Redis is configured to save RDB snapshots", ErrorKind::kMisconf,
             Health::kFine},
        Case{"LOADING Redis is loading the dataset in memory", ErrorKind::kLoading,
             Health::kFailing},
        Case{"MASTERDOWN Link with MASTER is down", ErrorKind::kMasterDown, Health::kFailing},
        Case{"BUSY Redis is busy running a script.", ErrorKind::kServerBusy, Health::kFailing},
        Case{"NOAUTH Authentication required.", ErrorKind::kAuth, Health::kCredentials},
        Case{"WRONGPASS invalid username-password pair", ErrorKind::kAuth, Health::kCredentials},
        Case{"ERR AUTH <password> called without any password configured", ErrorKind::kAuth,
             Health::kCredentials},
        Case{"NOPERM this user has no permissions", ErrorKind::kNoPerm, Health::kFine},
        Case{"ERR max number of clients reached", ErrorKind::kMaxClients, Health::kFailing},
        Case{"MOVED 3999 127.0.0.1:6381", ErrorKind::kCluster, Health::kFine},
        Case{"ASK 3999 127.0.0.1:6381", ErrorKind::kCluster, Health::kFine},
        Case{"TRYAGAIN Multiple keys request", ErrorKind::kCluster, Health::kFine},
        Case{"CLUSTERDOWN The cluster is down", ErrorKind::kCluster, Health::kFailing},
        Case{"CROSSSLOT Keys in request don't hash", ErrorKind::kCluster, Health::kFine},
        Case{"WRONGTYPE Operation against a key", ErrorKind::kWrongType, Health::kFine},
        Case{"ERR unknown command `X`", ErrorKind::kUnknownCommand, Health::kFine},
        Case{"ERR Protocol error: invalid bulk length", ErrorKind::kProtocol, Health::kFailing},
        Case{"ERR something else", ErrorKind::kServer, Health::kFailing},
        Case{"", ErrorKind::kServer, Health::kFailing}));

TEST(ServerErrorTextTest, KeepsNoArguments) {
  const auto shown = [](const std::string& text) { return to_error(classify(text), text).detail; };
  EXPECT_EQ(shown("ERR unknown command 'AUTH', with args beginning with: 'secret'"),
            "ERR unknown command ");
  EXPECT_EQ(shown("ERR unknown command `FOO`, with args beginning with: `mary@example.org`, "),
            "ERR unknown command ");
  EXPECT_EQ(shown("NOPERM No permissions to access a key"),
            "NOPERM No permissions to access a key");
  EXPECT_EQ(shown("ERR " + std::string(500, 'x')).size(), 80U);
}

}  // namespace
}  // namespace vcache::l2::client
