#include "l2/client/resolver.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace vcache::l2::client {
namespace {

using std::chrono::seconds;

TEST(ResolverTest, AddressesAreTheirOwnAnswer) {
  for (const char* address : {"127.0.0.1", "::1"}) {
    // Even past the deadline: nothing is looked up.
    auto found = Resolver(address).resolve(Deadline{});
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found.value(), std::vector<std::string>{address});
  }
}

TEST(ResolverTest, NamesAreLookedUp) {
  Resolver resolver("localhost");
  auto found = resolver.resolve(Deadline::clock::now() + seconds(5));
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(std::ranges::any_of(found.value(), [](const std::string& address) {
    return address == "127.0.0.1" || address == "::1";
  }));
}

TEST(ResolverTest, AnswersByTheDeadlineOrSaysThatItPassed) {
  for (int round = 0; round < 100; ++round) {
    Resolver resolver("localhost");
    const auto found = resolver.resolve(Deadline::clock::now());
    if (!found.ok()) {
      EXPECT_EQ(found.error().code, base::ErrorCode::kTimeout);
    }
    EXPECT_TRUE(resolver.resolve(Deadline::clock::now() + seconds(5)).ok());
  }
}

TEST(ResolverTest, ManyMayAskAtOnceAndItMayGoAwayBeforeTheAnswer) {
  for (int round = 0; round < 20; ++round) {
    Resolver resolver("localhost");
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back(
          [&] { EXPECT_TRUE(resolver.resolve(Deadline::clock::now() + seconds(5)).ok()); });
    }
    threads.clear();
    (void)resolver.resolve(Deadline::clock::now());
  }
}

}  // namespace
}  // namespace vcache::l2::client
