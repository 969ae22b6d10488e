#include "cache/owed_patterns.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vcache::cache {
namespace {

TEST(OwedPatternsTest, TakeTheKeysOfAllThatAreOwed) {
  OwedPatterns owed;
  EXPECT_FALSE(owed.take("user:1"));
  EXPECT_TRUE(owed.add("user:*", {}));
  EXPECT_TRUE(owed.add("doc:?", {}));
  EXPECT_TRUE(owed.take("user:1"));
  EXPECT_TRUE(owed.take("doc:1"));
  EXPECT_FALSE(owed.take("doc:12"));
  owed.settle(owed.oldest()->number);
  EXPECT_FALSE(owed.take("user:1"));
  owed.clear();
  EXPECT_FALSE(owed.any());
}

TEST(OwedPatternsTest, TheSameOnceMoreIsANewDebt) {
  OwedPatterns owed;
  EXPECT_TRUE(owed.add("user:*", {}));
  const auto paid = owed.oldest();
  ASSERT_TRUE(paid);
  EXPECT_TRUE(owed.add("user:*", {}));
  owed.settle(paid->number);
  EXPECT_TRUE(owed.take("user:1")) << "what came during the erasure is not settled by it";
}

TEST(OwedPatternsTest, ADebtOfBeforeAClearSettlesNoLaterOne) {
  OwedPatterns owed;
  EXPECT_TRUE(owed.add("user:*", {}));
  const auto paid = owed.oldest();
  owed.clear();
  EXPECT_TRUE(owed.add("doc:*", {}));
  ASSERT_TRUE(paid);
  owed.settle(paid->number);
  EXPECT_TRUE(owed.take("doc:1"));
}

TEST(OwedPatternsTest, KeepTheirProgressAndAreBounded) {
  OwedPatterns owed;
  EXPECT_TRUE(owed.add("0:*", {}));
  auto debt = owed.oldest();
  ASSERT_TRUE(debt);
  debt->progress.servers.emplace_back("one");
  owed.keep(*debt);
  EXPECT_EQ(owed.oldest()->progress.servers.size(), 1U);
  for (int i = 1; i < 100; ++i) EXPECT_TRUE(owed.add(std::to_string(i) + ":*", {}));
  EXPECT_FALSE(owed.add("one too many", {}));
}

}  // namespace
}  // namespace vcache::cache
