#include <array>
#include <string>
#include <thread>

#include "cpp/l2/redis_fixture.hpp"
#include "l2/blobs.hpp"
#include "l2/null_l2.hpp"

namespace vcache::l2 {
namespace {

using base::ErrorCode;
using base::Millis;
using namespace std::string_literals;

constexpr Millis kLong{60'000};

class BlobTest : public RedisFixture {
 protected:
  static std::string read(L2& tier, std::string_view name, std::size_t most = 100) {
    std::string bytes = "from before";
    EXPECT_TRUE(tier.blobs().read(name, most, bytes).ok());
    return bytes;
  }
  static bool replace(L2& tier, std::string_view expected, std::string_view bytes) {
    bool replaced = true;
    EXPECT_TRUE(tier.blobs().replace("model", expected, bytes, kLong, replaced).ok());
    return replaced;
  }

  const std::unique_ptr<L2> tier_ = connect();
};

TEST_F(BlobTest, IsReadAsItWasWritten) {
  EXPECT_EQ(read(*tier_, "model"), "");
  const std::string bytes = "a\0\r\n\xff"s;
  ASSERT_TRUE(tier_->blobs().write("model", bytes, kLong).ok());
  EXPECT_EQ(read(*tier_, "model"), bytes);
  EXPECT_EQ(server_.call({"STRLEN", "ns!model"}), "5");
  const int left = std::stoi(server_.call({"PTTL", "ns!model"}));
  EXPECT_GT(left, 50'000);
  EXPECT_LE(left, 60'000);
  ASSERT_TRUE(tier_->blobs().erase("model").ok());
  EXPECT_EQ(read(*tier_, "model"), "");
  EXPECT_TRUE(tier_->blobs().erase("model").ok()) << "there is none by now";
}

TEST_F(BlobTest, NoMoreIsReadThanWasAskedFor) {
  server_.call({"SET", "ns!model", std::string(100'000, 'x')});
  EXPECT_EQ(read(*tier_, "model", 7), "xxxxxxx");
  EXPECT_EQ(read(*tier_, "model", 200'000).size(), 100'000U);
}

TEST_F(BlobTest, IsReplacedWhereItIsWhatWasExpected) {
  EXPECT_FALSE(replace(*tier_, "any", "one"));
  EXPECT_TRUE(replace(*tier_, "", "one"));
  EXPECT_FALSE(replace(*tier_, "", "two"));
  EXPECT_FALSE(replace(*tier_, "on", "two")) << "what is there begins so";
  EXPECT_FALSE(replace(*tier_, "ones", "two"));
  EXPECT_EQ(read(*tier_, "model"), "one");
  EXPECT_TRUE(replace(*tier_, "one", "two"));
  EXPECT_EQ(read(*tier_, "model"), "two");
  EXPECT_GT(std::stoi(server_.call({"PTTL", "ns!model"})), 50'000);
  EXPECT_TRUE(tier_->status(false).errors.empty());
}

TEST_F(BlobTest, OfSeveralThatReplaceItOneDoes) {
  constexpr int kRounds = 200;
  std::array<int, 4> done{};
  {
    std::array<std::jthread, 4> threads;
    for (std::size_t i = 0; i < threads.size(); ++i) {
      threads[i] = std::jthread([this, &wins = done[i]] {
        const auto tier = connect();
        for (int round = 0; round < kRounds; ++round) {
          const std::string now = read(*tier, "model");
          const std::string next = std::to_string(now.empty() ? 1 : std::stoi(now) + 1);
          if (replace(*tier, now, next)) ++wins;
        }
      });
    }
  }
  int sum = 0;
  for (const int wins : done) sum += wins;
  EXPECT_EQ(read(*tier_, "model"), std::to_string(sum));
  EXPECT_GE(sum, kRounds) << "each round somebody wins";
  EXPECT_LE(sum, 4 * kRounds);
}

TEST_F(BlobTest, ConnectionsAreWellAfterwards) {
  ASSERT_TRUE(replace(*tier_, "", "one"));
  ASSERT_FALSE(replace(*tier_, "", "two"));
  server_.call({"SET", "ns!model", "three"});
  EXPECT_EQ(testing::store(*tier_, "a", "v"), Outcome::kHit);
  EXPECT_TRUE(replace(*tier_, "three", "four")) << "nothing is watched or queued any more";
  EXPECT_EQ(tier_->status(false).connections, 1U);
}

TEST_F(BlobTest, WithoutTheRightToItThereIsAnError) {
  server_.call(
      {"ACL", "SETUSER", "limited", "on", ">pw", "+@all", "~ns:*", "~ns!gen", "~ns!stamp"});
  RedisOptions with = options();
  with.username = "limited";
  with.password = "pw";
  const auto limited = connect(with);
  std::string bytes;
  bool replaced = true;
  EXPECT_FALSE(limited->blobs().read("model", 10, bytes).ok());
  EXPECT_FALSE(limited->blobs().write("model", "x", kLong).ok());
  EXPECT_FALSE(limited->blobs().replace("model", "", "x", kLong, replaced).ok());
  EXPECT_FALSE(replaced);
  EXPECT_FALSE(limited->blobs().erase("model").ok());
  EXPECT_EQ(testing::store(*limited, "a", "v"), Outcome::kHit) << "the connections are well";
  EXPECT_EQ(server_.call({"EXISTS", "ns!model"}), "0");
}

TEST_F(BlobTest, AKeyOfAnotherTypeIsAnError) {
  server_.call({"LPUSH", "ns!model", "x"});
  std::string bytes;
  bool replaced = true;
  EXPECT_EQ(tier_->blobs().read("model", 10, bytes).code, ErrorCode::kServer);
  EXPECT_EQ(tier_->blobs().replace("model", "", "x", kLong, replaced).code, ErrorCode::kServer);
  EXPECT_FALSE(replaced);
  EXPECT_EQ(server_.call({"TYPE", "ns!model"}), "list");
}

TEST_F(BlobTest, AServerThatIsGoneIsAnError) {
  server_.kill();
  std::string bytes = "from before";
  bool replaced = true;
  EXPECT_FALSE(tier_->blobs().read("model", 10, bytes).ok());
  EXPECT_EQ(bytes, "");
  EXPECT_FALSE(tier_->blobs().replace("model", "", "x", kLong, replaced).ok());
  EXPECT_FALSE(replaced);
  tier_->close();
  EXPECT_EQ(tier_->blobs().write("model", "x", kLong).code, ErrorCode::kClosed);
}

TEST(NullBlobTest, IsClosed) {
  NullL2 tier;
  std::string bytes = "from before";
  bool replaced = true;
  EXPECT_EQ(tier.blobs().read("model", 10, bytes).code, ErrorCode::kClosed);
  EXPECT_EQ(bytes, "");
  EXPECT_EQ(tier.blobs().write("model", "x", kLong).code, ErrorCode::kClosed);
  EXPECT_EQ(tier.blobs().replace("model", "", "x", kLong, replaced).code, ErrorCode::kClosed);
  EXPECT_FALSE(replaced);
  EXPECT_EQ(tier.blobs().erase("model").code, ErrorCode::kClosed);
}

}  // namespace
}  // namespace vcache::l2
