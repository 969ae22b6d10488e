#include "l2/node.hpp"

#include "cpp/l2/redis_fixture.hpp"
#include "l2/cluster/cluster.hpp"
#include "l2/command/ping.hpp"
#include "support/cluster_calls.hpp"

namespace vcache::l2 {
namespace {

using testing::poll_until;

// What nodes share.
struct Surroundings {
  base::SystemClock clock;
  ServerFacts facts{clock};
  ErrorCounters errors;
  base::Keeper keeper;
  News news;
  Node::Shared shared{
      .clock = clock, .facts = facts, .errors = errors, .keeper = keeper, .news = news};
};

// Asks until the breaker is open.
void give_up(Node& node) {
  while (node.breaker().state() == Breaker::State::kClosed) {
    command::Ping ping(node.context());
    (void)node.run(ping, client::Deadline::clock::now() + node.options().timeout);
  }
}

class NodeTest : public RedisFixture {
 protected:
  Surroundings around_;
};

TEST_F(NodeTest, TheKeeperProbesAServerThatCallsAreMeantFor) {
  Node node(options(), around_.shared);
  server_.kill();
  give_up(node);
  EXPECT_TRUE(node.breaker().refuses());
  node.attend(false);
  EXPECT_FALSE(node.breaker().refuses()) << "who asks it is the probe";
  node.attend(true);
  EXPECT_TRUE(node.breaker().refuses());
  server_.start();
  EXPECT_TRUE(poll_until([&] { return node.breaker().state() == Breaker::State::kClosed; }));
  around_.keeper.stop();
}

TEST_F(NodeTest, NobodyProbesAServerThatOpensAfterItLeft) {
  Node node(options(), around_.shared);
  server_.kill();
  node.attend(false);
  give_up(node);
  EXPECT_FALSE(node.breaker().refuses());
  EXPECT_FALSE(around_.keeper.running()) << "nothing was ever added to it";
}

TEST(ClusterNodeTest, AServerThatLostItsSlotsIsNotProbed) {
  testing::RedisCluster servers;
  const RedisOptions options = testing::options_for(servers);
  Surroundings around;
  cluster::NodeTable nodes(options, around.shared);
  cluster::Cluster cluster(options, around.clock, nodes, around.keeper, [] {});
  ASSERT_TRUE(cluster.ready(client::Deadline::clock::now() + std::chrono::seconds(10)).ok());
  Node* const left = cluster.node_at(0);
  ASSERT_NE(left, nullptr);
  ASSERT_TRUE(poll_until([&] { return servers.replica_of(0).has_all_of(servers.node(0)); }));
  servers.node(0).kill();
  give_up(*left);
  EXPECT_TRUE(left->breaker().refuses());
  EXPECT_TRUE(poll_until(
      [&] {
        cluster.on_trouble();
        return cluster.node_at(0) != left && !left->breaker().refuses();
      },
      std::chrono::seconds(30)));
  around.keeper.stop();
}

}  // namespace
}  // namespace vcache::l2
