#include "l2/owed.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace vcache::l2 {
namespace {

using Tags = std::vector<std::string_view>;

TEST(OwedTest, WhatIsBeingPaidStaysOwedUntilItIsSettled) {
  Owed owed;
  EXPECT_FALSE(owed.any());
  owed.add_tags(Tags{"red", "blue"});
  const Owed::Debts first = owed.oldest(1);
  EXPECT_EQ(first.tags, std::vector<std::string>{"red"});
  EXPECT_EQ(owed.oldest(1).tags, first.tags);
  owed.settle(first.last);
  EXPECT_TRUE(owed.any());
  EXPECT_EQ(owed.oldest(10).tags, std::vector<std::string>{"blue"});
}

TEST(OwedTest, WhatComesWhileItIsPaidIsOwedBehindIt) {
  Owed owed;
  owed.add_tags(Tags{"red"});
  const Owed::Debts paid = owed.oldest(10);
  owed.add_tags(Tags{"red"});
  owed.settle(paid.last);
  EXPECT_EQ(owed.oldest(10).tags, std::vector<std::string>{"red"});
  const std::uint64_t last = owed.last();
  owed.add_clear();
  owed.settle(last);
  EXPECT_TRUE(owed.oldest(10).clear);
}

TEST(OwedTest, AClearCoversWhatCameBefore) {
  Owed owed;
  owed.add_tags(Tags{"red"});
  owed.add_clear();
  owed.add_tags(Tags{"blue"});
  const Owed::Debts debts = owed.oldest(10);
  EXPECT_TRUE(debts.clear);
  EXPECT_TRUE(debts.tags.empty());
  owed.settle(debts.last);
  EXPECT_EQ(owed.oldest(10).tags, std::vector<std::string>{"blue"});
  owed.settle(owed.last());
  EXPECT_FALSE(owed.any());
}

TEST(OwedTest, VeryManyTagsAreAClear) {
  Owed owed;
  const Tags tags(6'000, "red");
  owed.add_tags(tags);
  EXPECT_FALSE(owed.oldest(1).clear);
  owed.add_tags(tags);
  EXPECT_TRUE(owed.oldest(1).clear);
}

}  // namespace
}  // namespace vcache::l2
