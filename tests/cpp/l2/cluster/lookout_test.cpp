#include "l2/cluster/lookout.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

namespace vcache::l2::cluster {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

class Looker final : public base::Chore {
 public:
  [[nodiscard]] base::Millis run() noexcept override {
    ++runs;
    if (looks) lookout.end_look(looks());
    return base::Millis(60'000);
  }
  void interrupt() noexcept override {}

  base::Keeper keeper;
  Lookout lookout{keeper, *this};
  int runs = 0;
  std::function<bool()> looks;  // none: it is not due
};

TEST(LookoutTest, WhoWantsItLooksWhereThereIsNoKeeper) {
  Looker looker;
  looker.keeper.stop();
  looker.lookout.want();
  looker.lookout.want();
  EXPECT_EQ(looker.runs, 2) << "the first was not due, and nobody else comes";
  EXPECT_FALSE(looker.lookout.wanted());
}

TEST(LookoutTest, ACallWaitsForTheEndOfALook) {
  Looker looker;
  bool known = false;
  looker.looks = [&] { return known = true; };
  const auto is_known = [&] { return known; };
  EXPECT_TRUE(looker.lookout.await(steady_clock::now() + seconds(30), is_known, "no").ok());
  EXPECT_TRUE(known);
  looker.keeper.stop();
}

TEST(LookoutTest, AfterALookThatFailedNobodyWaits) {
  Looker looker;
  looker.keeper.stop();
  looker.looks = [] { return false; };
  const auto never = [] { return false; };
  EXPECT_EQ(looker.lookout.await(steady_clock::now() + seconds(30), never, "no").detail, "no");
  looker.looks = nullptr;
  const auto begin = steady_clock::now();
  EXPECT_EQ(looker.lookout.await(begin + seconds(60), never, "no").code, base::ErrorCode::kConnect);
  EXPECT_LT(steady_clock::now() - begin, seconds(30));
}

}  // namespace
}  // namespace vcache::l2::cluster
