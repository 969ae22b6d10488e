#include <array>
#include <thread>

#include "cpp/l2/redis_fixture.hpp"
#include "l2/leases.hpp"
#include "l2/null_l2.hpp"

namespace vcache::l2 {
namespace {

using base::Millis;
using testing::store;
using testing::views;

class LeaseTest : public RedisFixture {
 protected:
  static std::vector<Grant> take(L2& tier, const std::vector<std::string>& keys,
                                 std::string_view token, LeaseTerms terms = {}) {
    std::vector<Grant> grants(keys.size());
    terms.token = token;
    tier.leases().take(views(keys), terms, grants);
    return grants;
  }
  static void give_up(L2& tier, const std::vector<std::string>& keys, std::string_view token) {
    tier.leases().give_up(views(keys), token);
  }
  std::string holder(const std::string& key) { return server_.call({"GET", "ns!lease:" + key}); }

  const std::unique_ptr<L2> tier_ = connect();
};

TEST_F(LeaseTest, OneOwnerAtATime) {
  EXPECT_EQ(take(*tier_, {"a", "b"}, "one"), (std::vector{Grant::kGranted, Grant::kGranted}));
  EXPECT_EQ(take(*tier_, {"b", "c"}, "two"), (std::vector{Grant::kHeld, Grant::kGranted}));
  EXPECT_EQ(holder("b"), "one");
  EXPECT_EQ(holder("c"), "two");
  const int left = std::stoi(server_.call({"PTTL", "ns!lease:a"}));
  EXPECT_GT(left, 4'000);
  EXPECT_LE(left, 5'000);
}

// Who has no answer computes.
TEST_F(LeaseTest, IsTakenThoughOthersUseAllConnections) {
  RedisOptions one = options();
  one.pool_size = 1;
  one.timeout = std::chrono::seconds(5);
  const std::unique_ptr<L2> tier = connect(one);
  (void)take(*tier, {"a"}, "one");
  server_.call({"CLIENT", "PAUSE", "100", "ALL"});
  std::vector<Grant> grants;
  std::jthread other([&] { grants = take(*tier, {"b"}, "one"); });
  EXPECT_EQ(take(*tier, {"c"}, "one"), std::vector{Grant::kGranted});
  other.join();
  EXPECT_EQ(grants, std::vector{Grant::kGranted});
}

TEST_F(LeaseTest, IsGivenUpByItsOwnerOnly) {
  (void)take(*tier_, {"a", "b"}, "one");
  give_up(*tier_, {"a", "b", "c"}, "two");
  EXPECT_EQ(holder("a"), "one");
  give_up(*tier_, {"a"}, "one");
  EXPECT_EQ(server_.call({"EXISTS", "ns!lease:a"}), "0");
  EXPECT_EQ(holder("b"), "one");
  EXPECT_EQ(take(*tier_, {"a"}, "two"), std::vector{Grant::kGranted});
  EXPECT_TRUE(tier_->status(false).errors.empty());
}

TEST_F(LeaseTest, TellsOfAValueThatIsThere) {
  store(*tier_, "a", "v");
  EXPECT_EQ(take(*tier_, {"a", "b"}, "one"), (std::vector{Grant::kStored, Grant::kGranted}));
  EXPECT_EQ(holder("a"), "one") << "it was taken as well";
  give_up(*tier_, {"a"}, "one");
  EXPECT_EQ(take(*tier_, {"a"}, "two", {.unless_stored = false}), std::vector{Grant::kGranted});
  ASSERT_TRUE(tier_->clear().ok());
  give_up(*tier_, {"a"}, "two");
  EXPECT_EQ(take(*tier_, {"a"}, "three"), std::vector{Grant::kGranted})
      << "what was cleared is not";
}

TEST_F(LeaseTest, RunsOut) {
  (void)take(*tier_, {"a"}, "one", {.length = Millis(50)});
  const std::vector<std::string_view> keys{"a"};
  const auto wait = tier_->leases().watch(keys);
  EXPECT_TRUE(wait->due());
  EXPECT_TRUE(wait->changed(Millis(10'000)));
  EXPECT_EQ(take(*tier_, {"a"}, "two"), std::vector{Grant::kGranted});
}

TEST_F(LeaseTest, AWaitEndsWhenOneIsGivenUp) {
  (void)take(*tier_, {"a", "b"}, "one", {.length = Millis(60'000)});
  const std::vector<std::string_view> keys{"a", "b"};
  const auto wait = tier_->leases().watch(keys);
  EXPECT_FALSE(wait->changed(Millis(1)));
  EXPECT_FALSE(wait->changed(Millis(0)));
  const std::jthread other([&] { give_up(*tier_, {"b"}, "one"); });
  EXPECT_TRUE(wait->changed(Millis(10'000)));
}

TEST_F(LeaseTest, AServerThatIsGoneKeepsNobody) {
  (void)take(*tier_, {"a"}, "one", {.length = Millis(60'000)});
  const std::vector<std::string_view> keys{"a"};
  const auto wait = tier_->leases().watch(keys);
  server_.kill();
  EXPECT_TRUE(wait->changed(Millis(10'000)));
  EXPECT_EQ(take(*tier_, {"a"}, "two"), std::vector{Grant::kUnknown});
  give_up(*tier_, {"a"}, "two");
  tier_->close();
  EXPECT_EQ(take(*tier_, {"a"}, "two"), std::vector{Grant::kUnknown});
  EXPECT_TRUE(tier_->leases().watch(keys)->changed(Millis(0)));
}

TEST_F(LeaseTest, WithoutTheRightToThemThereAreNone) {
  server_.call(
      {"ACL", "SETUSER", "limited", "on", ">pw", "+@all", "~ns:*", "~ns!gen", "~ns!stamp"});
  RedisOptions with = options();
  with.username = "limited";
  with.password = "pw";
  const auto limited = connect(with);
  EXPECT_EQ(take(*limited, {"a"}, "one"), std::vector{Grant::kUnknown});
  give_up(*limited, {"a"}, "one");
  EXPECT_EQ(store(*limited, "a", "v"), Outcome::kHit) << "the connections are well";
}

TEST(NullLeaseTest, GrantsNothingAndWaitsForNothing) {
  NullL2 tier;
  const std::vector<std::string_view> keys{"a"};
  std::array<Grant, 1> grants{Grant::kHeld};
  tier.leases().take(keys, {.token = "one"}, grants);
  EXPECT_EQ(grants[0], Grant::kUnknown);
  tier.leases().give_up(keys, "one");
  EXPECT_TRUE(tier.leases().watch(keys)->changed(base::Millis(0)));
}

}  // namespace
}  // namespace vcache::l2
