#include "base/glob.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vcache::base {
namespace {

TEST(GlobTest, TakesWhatRedisTakes) {
  EXPECT_TRUE(matches_glob("user:*", "user:1"));
  EXPECT_TRUE(matches_glob("user:*", "user:"));
  EXPECT_FALSE(matches_glob("user:*", "users:1"));
  EXPECT_TRUE(matches_glob("*:b:*", "a:b:b:c"));
  EXPECT_TRUE(matches_glob("a?c", "abc"));
  EXPECT_FALSE(matches_glob("a?c", "ac"));
  EXPECT_TRUE(matches_glob("[a-c]x", "bx"));
  EXPECT_TRUE(matches_glob("[c-a]x", "bx"));
  EXPECT_FALSE(matches_glob("[^a-c]x", "bx"));
  EXPECT_TRUE(matches_glob("[^a]x", "bx"));
  EXPECT_FALSE(matches_glob("a*b", "a*c"));
  EXPECT_TRUE(matches_glob("", ""));
  EXPECT_FALSE(matches_glob("", "x"));
}

TEST(GlobTest, ABackslashTakesTheNextByteAsItIs) {
  EXPECT_TRUE(matches_glob("a\\*", "a*"));
  EXPECT_FALSE(matches_glob("a\\*", "ab"));
  EXPECT_TRUE(matches_glob("[\\]]", "]"));
  EXPECT_TRUE(matches_glob("\\", "\\")) << "with nothing behind it, itself";
}

TEST(GlobTest, ASetThatNothingClosesEndsWithThePattern) {
  EXPECT_TRUE(matches_glob("[ab", "a"));
  EXPECT_FALSE(matches_glob("[", "a"));
  EXPECT_TRUE(matches_glob("[^", "a"));
}

TEST(GlobTest, ManyStarsTakeNoLongerThanTheProductOfTheLengths) {
  std::string pattern;
  for (int i = 0; i < 300; ++i) pattern += "*a";
  pattern += "b";
  EXPECT_FALSE(matches_glob(pattern, std::string(1024, 'a')));
}

}  // namespace
}  // namespace vcache::base
