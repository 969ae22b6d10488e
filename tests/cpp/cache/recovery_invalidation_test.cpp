#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cpp/cache/recovery_fixture.hpp"
#include "support/l2_calls.hpp"

// What is invalidated while writes wait.
namespace vcache::cache {
namespace {

using base::Millis;
using l2::Outcome;
using testing::fetch;
using testing::store;
using testing::store_tagged;
using testing::take_stamp;
using testing::touch;

class RecoveryInvalidationTest : public RecoveryTest {};

TEST_F(RecoveryInvalidationTest, AValueWithTagsWaitsWithItsStamp) {
  const std::uint64_t stamp = take_stamp(recovery_, {"red"});
  redis_->down = true;
  EXPECT_EQ(store_tagged(recovery_, "kept", {"red"}), Outcome::kFailed);
  EXPECT_EQ(fetch(recovery_, "kept").payload, "kept");
  redis_->down = false;
  replay();
  EXPECT_EQ(fetch(*redis_, "kept").payload, "kept");
  redis_->down = true;
  EXPECT_EQ(store_tagged(recovery_, "ended", {"red"}), Outcome::kFailed);
  redis_->down = false;
  (void)redis_->invalidate_tags(testing::Tags{"red"});  // by somebody else
  replay();
  EXPECT_EQ(fetch(*redis_, "ended").outcome, Outcome::kExpired) << "made before " << stamp;
  EXPECT_EQ(status().recovered, 2U);
}

TEST_F(RecoveryInvalidationTest, ATagThatNobodyMadeYetIsMadeBeforeItsValueIsSent) {
  (void)take_stamp(recovery_, {});
  redis_->down = true;
  EXPECT_EQ(store_tagged(recovery_, "k", {"new"}), Outcome::kFailed);
  redis_->down = false;
  replay();
  EXPECT_EQ(fetch(*redis_, "k").payload, "k");
}

TEST_F(RecoveryInvalidationTest, OfAValueWithTagsAndNoStampOnlyTheDeletionIsSent) {
  store(*redis_, "k", "old");
  redis_->down = true;
  EXPECT_EQ(store_tagged(recovery_, "k", {"red"}), Outcome::kFailed);
  EXPECT_EQ(fetch(recovery_, "k").outcome, Outcome::kMiss);
  redis_->down = false;
  replay();
  EXPECT_EQ(fetch(*redis_, "k").outcome, Outcome::kMiss);
}

TEST_F(RecoveryInvalidationTest, WhatIsInvalidatedByTagWhileItWaitsBecomesADeletion) {
  store(*redis_, "k", "old");
  store(*redis_, "other", "old");
  (void)take_stamp(recovery_, {"red", "blue"});
  redis_->down = true;
  store_tagged(recovery_, "k", {"red", "blue"});
  store_tagged(recovery_, "other", {"blue"});
  EXPECT_FALSE(recovery_.invalidate_tags(testing::Tags{"red"}).ok());
  EXPECT_EQ(fetch(recovery_, "k").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(recovery_, "other").payload, "other");
  redis_->down = false;
  replay();
  EXPECT_EQ(fetch(*redis_, "k").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(*redis_, "other").payload, "other");
}

TEST_F(RecoveryInvalidationTest, WhatAPatternTakesWhileItWaitsBecomesADeletion) {
  store(*redis_, "user:1", "old");
  store(*redis_, "user:2", "old");
  store(*redis_, "other", "old");
  redis_->down = true;
  store(recovery_, "user:1", "new");
  std::vector<std::string> erased;
  EXPECT_FALSE(erase_matching("user:*", erased).ok());
  EXPECT_EQ(erased, std::vector<std::string>{"user:1"});
  store(recovery_, "user:3", "newest");
  redis_->down = false;
  EXPECT_EQ(fetch(recovery_, "user:1").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(recovery_, "user:2").outcome, Outcome::kMiss) << "though it is still there";
  EXPECT_EQ(touch(recovery_, "user:2", Millis(-1)), Outcome::kMiss);
  EXPECT_EQ(fetch(recovery_, "user:3").payload, "newest");
  EXPECT_EQ(fetch(recovery_, "other").payload, "old");
  replay();
  EXPECT_EQ(fetch(*redis_, "user:1").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(*redis_, "user:2").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(*redis_, "user:3").payload, "newest") << "sent after what it came after";
  store(*redis_, "user:2", "later");
  EXPECT_EQ(fetch(recovery_, "user:2").payload, "later") << "nothing is owed any more";
}

TEST_F(RecoveryInvalidationTest, WithNothingWaitingAnOwedPatternIsSentTooSoon) {
  store(*redis_, "user:1", "old");
  redis_->down = true;
  std::vector<std::string> erased;
  EXPECT_FALSE(erase_matching("user:*", erased).ok());
  EXPECT_EQ(recovery_.run(), Millis(250)) << "no answer: later";
  redis_->down = false;
  replay();
  EXPECT_EQ(fetch(*redis_, "user:1").outcome, Outcome::kMiss);
}

TEST_F(RecoveryInvalidationTest, WhatIsWrittenUnderAnOwedPatternIsSentBehindIt) {
  store(*redis_, "user:1", "old");
  redis_->down = true;
  std::vector<std::string> erased;
  EXPECT_FALSE(erase_matching("user:*", erased).ok());
  redis_->down = false;
  EXPECT_EQ(store(recovery_, "user:1", "new"), Outcome::kSkipped);
  EXPECT_EQ(store(recovery_, "other", "new"), Outcome::kHit);
  EXPECT_EQ(fetch(recovery_, "user:1").payload, "new");
  replay();
  EXPECT_EQ(fetch(*redis_, "user:1").payload, "new");
}

TEST_F(RecoveryInvalidationTest, APatternThatIsForbiddenIsNotOwed) {
  store(*redis_, "user:1", "old");
  redis_->forbids_patterns = true;
  std::vector<std::string> erased;
  EXPECT_EQ(erase_matching("user:*", erased).code, base::ErrorCode::kForbidden);
  EXPECT_EQ(fetch(recovery_, "user:1").payload, "old") << "memory only, as the README says";
  EXPECT_EQ(store(recovery_, "user:1", "new"), Outcome::kHit);
}

TEST_F(RecoveryInvalidationTest, CloseSendsWhatIsOwed) {
  store(*redis_, "user:1", "old");
  store(*redis_, "other", "old");
  redis_->down = true;
  std::vector<std::string> erased;
  EXPECT_FALSE(erase_matching("user:*", erased).ok());
  redis_->down = false;
  recovery_.close();
  EXPECT_EQ(fetch(*redis_, "user:1").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(*redis_, "other").payload, "old");
}

TEST_F(RecoveryInvalidationTest, ManyOwedPatternsAreAClear) {
  store(*redis_, "other", "old");
  redis_->down = true;
  std::vector<std::string> erased;
  for (int i = 0; i <= 100; ++i) {
    (void)erase_matching("p" + std::to_string(i) + ":*", erased);
  }
  redis_->down = false;
  (void)recovery_.run();
  EXPECT_EQ(redis_->clears, 1) << "once there is an answer";
  EXPECT_EQ(fetch(recovery_, "other").outcome, Outcome::kMiss);
}

}  // namespace
}  // namespace vcache::cache
