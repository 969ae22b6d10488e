#include "cache/fill_guard.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace vcache::cache {
namespace {

constexpr std::array<std::string_view, 1> kWritten = {"a"};

// A key of another stripe than "a", which a write to "a" alone does not void.
std::string other_key(FillGuard& guard) {
  for (int i = 0;; ++i) {
    std::string key = "b" + std::to_string(i);
    const FillGuard::Token token = guard.begin_fill();
    (void)WriteMark(guard, kWritten).finish();
    if (guard.may_keep(key, token)) return key;
  }
}

TEST(FillGuardTest, AFillThatNoWriteMeetsIsKept) {
  FillGuard guard;
  EXPECT_TRUE(guard.may_keep("a", guard.begin_fill()));
  (void)WriteMark(guard, kWritten).finish();
  EXPECT_TRUE(guard.may_keep("a", guard.begin_fill()));
}

TEST(FillGuardTest, AFillThatAWriteOfItsKeyOvertookIsNotKept) {
  FillGuard guard;
  const std::string other = other_key(guard);
  const FillGuard::Token token = guard.begin_fill();
  (void)WriteMark(guard, kWritten).finish();
  EXPECT_FALSE(guard.may_keep("a", token));
  EXPECT_TRUE(guard.may_keep(other, token));
}

TEST(FillGuardTest, AFillThatBeganDuringAWriteOfItsKeyIsNotKept) {
  FillGuard guard;
  const std::string other = other_key(guard);
  WriteMark mark(guard, kWritten);
  const FillGuard::Token token = guard.begin_fill();
  EXPECT_FALSE(guard.may_keep("a", token));
  EXPECT_TRUE(guard.may_keep(other, token));
  (void)mark.finish();
  EXPECT_FALSE(guard.may_keep("a", token));
  EXPECT_TRUE(guard.may_keep(other, token));
}

TEST(FillGuardTest, VoidingEndsAllFillsUnderWayAndNoLaterOnes) {
  FillGuard guard;
  const FillGuard::Token token = guard.begin_fill();
  guard.void_all();
  EXPECT_FALSE(guard.may_keep("a", token));
  EXPECT_TRUE(guard.may_keep("a", guard.begin_fill()));
}

TEST(FillGuardTest, WhatWasVoidedStaysSoWhoeverVoidsAtTheSameTime) {
  FillGuard guard;
  std::atomic<bool> done = false;
  std::vector<std::thread> others;
  for (int t = 0; t < 3; ++t) {
    others.emplace_back([&] {
      while (!done) guard.void_all();
    });
  }
  int kept = 0;
  for (int i = 0; i < 200'000; ++i) {
    const FillGuard::Token token = guard.begin_fill();
    guard.void_all();
    for (int look = 0; look < 4; ++look) kept += guard.may_keep("a", token) ? 1 : 0;
  }
  done = true;
  for (std::thread& other : others) other.join();
  EXPECT_EQ(kept, 0);
}

TEST(FillGuardTest, TwoWritersOfAKeyBothLearnThatTheyMet) {
  FillGuard guard;
  WriteMark first(guard, kWritten);
  WriteMark second(guard, kWritten);
  EXPECT_EQ(first.finish().size(), 1U);
  EXPECT_EQ(second.finish().size(), 1U);
  WriteMark alone(guard, kWritten);
  EXPECT_TRUE(alone.finish().empty());
}

}  // namespace
}  // namespace vcache::cache
