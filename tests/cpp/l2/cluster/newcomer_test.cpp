#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "l2/redis_l2.hpp"
#include "support/cluster_calls.hpp"
#include "support/ear.hpp"
#include "support/poll_until.hpp"
#include "support/ports.hpp"

namespace vcache::l2 {
namespace {

using testing::key_on;
using testing::poll_until;
using testing::slot_of;
using testing::store;

// Answers of a server without a link are not to pass for what is told of: memory is unverified
// before the first of them is there.
class NewcomerTest : public ::testing::Test {
 protected:
  // Notes whether the loss of the links was heard of before the value came.
  class Witness final : public FetchSink {
   public:
    explicit Witness(const testing::Ear& ear) : ear_(ear) {}
    void on_value(std::size_t /*index*/, const StoredValue& /*stored*/) noexcept override {
      served_ = true;
      forewarned_ = ear_.count("down") > 0;
    }
    void on_absent(std::size_t /*index*/, Outcome /*outcome*/) noexcept override {}

    [[nodiscard]] bool served() const noexcept { return served_; }
    [[nodiscard]] bool forewarned() const noexcept { return forewarned_; }

   private:
    const testing::Ear& ear_;
    bool served_ = false;
    bool forewarned_ = false;
  };

  // A tier that has stored the key, and has links to all primaries.
  [[nodiscard]] std::unique_ptr<L2> linked() {
    RedisOptions options = testing::options_for(cluster_);
    options.tracking = true;
    auto tier = make_redis_l2(options, clock_, ear_);
    EXPECT_TRUE(poll_until([&] { return store(*tier, key_, "v") == Outcome::kHit; }));
    EXPECT_TRUE(poll_until([&] { return tier->status(false).coherence == "tracking"; }));
    ear_.forget();
    return tier;
  }
  void expect_forewarned(L2& tier) {
    const std::string_view key = key_;
    Witness witness(ear_);
    EXPECT_TRUE(tier.fetch({&key, 1}, witness).ok());
    EXPECT_TRUE(witness.served());
    EXPECT_TRUE(witness.forewarned());
    EXPECT_TRUE(ear_.hears("up")) << "with a link to the newcomer";
  }

  testing::RedisCluster cluster_;
  base::SystemClock clock_;
  testing::Ear ear_;
  const std::string key_ = key_on(cluster_, 0, "k");
};

TEST_F(NewcomerTest, OneThatMovedNamesIsAskedWhenMemoryIsUnverified) {
  const auto tier = linked();
  ASSERT_TRUE(poll_until([&] { return cluster_.replica_of(0).has_all_of(cluster_.node(0)); }));
  cluster_.replica_of(0).call({"CLUSTER", "FAILOVER"});
  ASSERT_TRUE(poll_until([&] { return cluster_.node(0).call({"ROLE"}).starts_with("slave"); }));
  expect_forewarned(*tier);
}

TEST_F(NewcomerTest, OneThatAskNamesIsAskedWhenMemoryIsUnverified) {
  testing::RedisServer newcomer({"--cluster-enabled", "yes"}, testing::free_port());
  newcomer.call({"CLUSTER", "MEET", "127.0.0.1", std::to_string(cluster_.node(0).port())});
  const std::string id = newcomer.call({"CLUSTER", "MYID"});
  const auto is_member = [&] {
    return cluster_.node(0).call({"CLUSTER", "NODES"}).find(id) != std::string::npos &&
           newcomer.call({"CLUSTER", "INFO"}).starts_with("cluster_state:ok");
  };
  ASSERT_TRUE(poll_until(is_member));
  const auto tier = linked();
  const int slot = slot_of(key_);
  newcomer.call({"CLUSTER", "SETSLOT", std::to_string(slot), "IMPORTING", cluster_.id(0)});
  cluster_.node(0).call({"CLUSTER", "SETSLOT", std::to_string(slot), "MIGRATING", id});
  cluster_.node(0).call(
      {"MIGRATE", "127.0.0.1", std::to_string(newcomer.port()), "{}vcache:" + key_, "0", "5000"});
  expect_forewarned(*tier);
  EXPECT_EQ(tier->status(false).cluster.at("asked"), 1U);
}

}  // namespace
}  // namespace vcache::l2
