#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cache/recovery.hpp"
#include "l2/null_l2.hpp"
#include "l2/redis_l2.hpp"
#include "support/fake_clock.hpp"
#include "support/l2_calls.hpp"
#include "support/redis_server.hpp"

// What every L2 promises, whether or not it keeps anything.
namespace vcache::l2 {
namespace {

using base::Millis;
using testing::CollectSink;
using testing::erase;
using testing::fetch;
using testing::object_view;
using testing::store;
using testing::store_tagged;
using testing::Tags;
using testing::take_stamp;
using testing::touch;
using testing::views;

class NullProvider {
 public:
  std::unique_ptr<L2> make() { return std::make_unique<NullL2>(); }
};

RedisOptions options_for(const std::string& socket) {
  RedisOptions options;
  options.unix_socket = socket;
  options.timeout = Millis(2000);
  return options;
}

class RedisProvider {
 public:
  std::unique_ptr<L2> make() { return make_redis_l2(options_for(server_.socket()), clock_); }

 private:
  testing::FakeClock clock_;
  testing::RedisServer server_;
};

class ShardsProvider {
 public:
  std::unique_ptr<L2> make() {
    RedisOptions options;
    options.layout = Layout::kShards;
    options.timeout = Millis(2000);
    for (const testing::RedisServer& server : servers_) {
      options.shards.push_back(std::make_shared<const RedisOptions>(options_for(server.socket())));
    }
    return make_redis_l2(options, clock_);
  }

 private:
  testing::FakeClock clock_;
  std::array<testing::RedisServer, 2> servers_;
};

class RecoveryProvider {
 public:
  std::unique_ptr<L2> make() {
    return std::make_unique<cache::Recovery>(make_redis_l2(options_for(server_.socket()), clock_),
                                             clock_, cache::PendingWrites::Limits{}, Millis(2000));
  }

 private:
  testing::FakeClock clock_;
  testing::RedisServer server_;
};

// With whom nobody answers, and the only server there is.
class NobodyProvider {
 public:
  static constexpr bool kFallsSilent = true;

  std::unique_ptr<L2> make() { return make_redis_l2(options_for("/nonexistent/socket"), clock_); }

 private:
  testing::FakeClock clock_;
};

template <class Provider>
concept FallsSilent = requires { requires Provider::kFallsSilent; };

template <class Provider>
class L2Contract : public ::testing::Test {
 protected:
  Provider provider_;
  std::unique_ptr<L2> tier_ = provider_.make();
};

using Providers =
    ::testing::Types<NullProvider, RedisProvider, ShardsProvider, RecoveryProvider, NobodyProvider>;
TYPED_TEST_SUITE(L2Contract, Providers);

TYPED_TEST(L2Contract, AFetchAnswersEachIndexOnce) {
  store(*this->tier_, "b", "x");
  std::vector<std::string> keys = {"a", "b", "a", "b"};
  for (int i = 0; i < 300; ++i) keys.push_back("k" + std::to_string(i));
  CollectSink sink(keys.size());
  (void)this->tier_->fetch(views(keys), sink);
  EXPECT_TRUE(sink.complete());
  EXPECT_EQ(sink.answers[1].outcome, sink.answers[3].outcome);
}

TYPED_TEST(L2Contract, EveryCallSetsEveryOutcome) {
  constexpr auto kUnset = static_cast<Outcome>(99);
  std::vector<Outcome> outcomes(3, kUnset);
  std::vector<Write> writes;
  const std::vector<std::string> keys = {"a", "b", "c"};
  for (const std::string& key : keys) writes.push_back({.key = key, .value = object_view(key)});
  testing::SpanWrites source(writes);
  (void)this->tier_->store(source, outcomes);
  for (const Outcome outcome : outcomes) EXPECT_NE(outcome, kUnset);
  outcomes.assign(3, kUnset);
  (void)this->tier_->erase(views(keys), outcomes);
  for (const Outcome outcome : outcomes) EXPECT_NE(outcome, kUnset);
  Outcome touched = kUnset;
  (void)this->tier_->touch("a", Millis(1000), touched);
  EXPECT_NE(touched, kUnset);
}

TYPED_TEST(L2Contract, WhatWasStoredIsThereUntilErased) {
  const bool keeps = store(*this->tier_, "k", "payload") == Outcome::kHit;
  const CollectSink::Answer answer = fetch(*this->tier_, "k");
  EXPECT_EQ(answer.outcome == Outcome::kHit, keeps);
  EXPECT_EQ(answer.payload, keeps ? "payload" : "");
  EXPECT_EQ(touch(*this->tier_, "k", Millis(-1)) == Outcome::kHit, keeps);
  EXPECT_EQ(erase(*this->tier_, "k") == Outcome::kHit, keeps);
  EXPECT_NE(erase(*this->tier_, "k"), Outcome::kHit);
  EXPECT_NE(fetch(*this->tier_, "k").outcome, Outcome::kHit);
}

TYPED_TEST(L2Contract, TheLastStoreWins) {
  store(*this->tier_, "k", "old");
  const bool keeps = store(*this->tier_, "k", "new") == Outcome::kHit;
  EXPECT_EQ(fetch(*this->tier_, "k").payload, keeps ? "new" : "");
}

TYPED_TEST(L2Contract, NothingIsServedAfterAClear) {
  store(*this->tier_, "k", "x");
  (void)this->tier_->clear();
  EXPECT_NE(fetch(*this->tier_, "k").outcome, Outcome::kHit);
  EXPECT_NE(touch(*this->tier_, "k", Millis(-1)), Outcome::kHit);
  const bool keeps = store(*this->tier_, "k", "y") == Outcome::kHit;
  EXPECT_EQ(fetch(*this->tier_, "k").outcome == Outcome::kHit, keeps);
}

TYPED_TEST(L2Contract, AnInvalidationEndsWhatHasTheTagAndNothingElse) {
  L2& tier = *this->tier_;
  const bool keeps = store_tagged(tier, "both", {"red", "blue"}) == Outcome::kHit;
  store_tagged(tier, "blue", {"blue"});
  store(tier, "none", "none");
  EXPECT_EQ(fetch(tier, "both").outcome == Outcome::kHit, keeps);
  (void)tier.invalidate_tags(Tags{"red", "green"});
  EXPECT_NE(fetch(tier, "both").outcome, Outcome::kHit);
  EXPECT_NE(touch(tier, "both", Millis(-1)), Outcome::kHit);
  EXPECT_EQ(fetch(tier, "blue").payload, keeps ? "blue" : "");
  EXPECT_EQ(fetch(tier, "none").payload, keeps ? "none" : "");
  EXPECT_EQ(store_tagged(tier, "both", {"red", "blue"}) == Outcome::kHit, keeps);
  EXPECT_EQ(fetch(tier, "both").payload, keeps ? "both" : "");
}

TYPED_TEST(L2Contract, WhatWasBegunBeforeAnInvalidationIsNotServedAfter) {
  const std::uint64_t begun = take_stamp(*this->tier_, {"red"});
  (void)this->tier_->invalidate_tags(Tags{"red"});
  store_tagged(*this->tier_, "k", {"red"}, begun);
  EXPECT_NE(fetch(*this->tier_, "k").outcome, Outcome::kHit);
}

TYPED_TEST(L2Contract, StampsAreAlwaysSetAndStepWithInvalidations) {
  constexpr std::uint64_t kUnset = 99;
  std::uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    std::uint64_t stamp = kUnset;
    const bool answered = this->tier_->take_stamp(Tags{"red"}, Millis(1000), stamp).ok();
    EXPECT_NE(stamp, kUnset);
    EXPECT_TRUE(answered || stamp == last) << "the newest that is known";
    EXPECT_TRUE(last == 0 || stamp > last);
    last = stamp;
    (void)this->tier_->invalidate_tags(Tags{"red"});
  }
}

TYPED_TEST(L2Contract, APatternErasesWhatItTakes) {
  L2& tier = *this->tier_;
  const std::vector<std::string> taken = {"user:1", "user:2", "user:3"};
  for (const std::string& key : taken) store(tier, key, "x");
  const bool keeps = store(tier, "users", "x") == Outcome::kHit;
  std::vector<std::string> erased;
  L2::Progress progress;
  const bool done = tier.erase_matching("user:*", erased, progress).ok();
  EXPECT_TRUE(done || !keeps);
  std::ranges::sort(erased);
  EXPECT_EQ(erased, keeps ? taken : std::vector<std::string>{});
  for (const std::string& key : taken) EXPECT_NE(fetch(tier, key).outcome, Outcome::kHit) << key;
  EXPECT_EQ(fetch(tier, "users").outcome == Outcome::kHit, keeps);
}

std::vector<std::string> listed(L2& tier, std::string_view pattern) {
  L2::Page page;
  while (!page.is_last && tier.list(pattern, page).ok()) {
  }
  std::ranges::sort(page.keys);
  const auto end = std::unique(page.keys.begin(), page.keys.end());  // NOLINT(modernize-use-ranges)
  page.keys.erase(end, page.keys.end());
  return page.keys;
}

TYPED_TEST(L2Contract, ALookSaysWhatAFetchWouldServe) {
  L2& tier = *this->tier_;
  const bool keeps = store(tier, "old", "x") == Outcome::kHit;
  (void)tier.clear();
  store(tier, "plain", "x");
  store_tagged(tier, "red", {"red"});
  store_tagged(tier, "blue", {"blue"});
  (void)tier.invalidate_tags(Tags{"red"});
  const std::vector<std::string> keys = {"old", "plain", "red", "blue", "none", "plain"};
  std::vector<Outcome> outcomes(keys.size(), static_cast<Outcome>(99));
  (void)tier.look(views(keys), outcomes);
  const std::vector<bool> expected = {false, keeps, false, keeps, false, keeps};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(outcomes[i] == Outcome::kHit, expected[i]) << keys[i];
    EXPECT_NE(outcomes[i], static_cast<Outcome>(99)) << keys[i];
  }
}

TYPED_TEST(L2Contract, AWalkMeetsWhatAFetchWouldServe) {
  L2& tier = *this->tier_;
  const bool keeps = store(tier, "k:old", "x") == Outcome::kHit;
  (void)tier.clear();
  std::vector<std::string> expected;
  for (int i = 1000; i < 2500; ++i) {
    const std::string key = "k:" + std::to_string(i);
    store(tier, key, "x");
    if (keeps) expected.push_back(key);
  }
  store(tier, "other", "x");
  store_tagged(tier, "k:red", {"red"});
  (void)tier.invalidate_tags(Tags{"red"});
  EXPECT_EQ(listed(tier, "k:*"), expected);
  EXPECT_EQ(listed(tier, "other").size(), keeps ? 1U : 0U);
}

TYPED_TEST(L2Contract, ASilentTierAnswersNothing) {
  EXPECT_FALSE(this->tier_->is_silent()) << "nobody was asked yet";
  for (int i = 0; i < 50; ++i) {
    const bool silent = this->tier_->is_silent();
    const Outcome outcome = fetch(*this->tier_, "k").outcome;
    const bool answered = outcome == Outcome::kHit || outcome == Outcome::kMiss;
    EXPECT_FALSE(silent && answered);
    EXPECT_FALSE(answered && this->tier_->is_silent());
  }
  EXPECT_EQ(this->tier_->is_silent(), FallsSilent<TypeParam>);
}

TYPED_TEST(L2Contract, EmptyBatchesAreFine) {
  CollectSink sink(0);
  EXPECT_TRUE(this->tier_->fetch({}, sink).ok());
  testing::SpanWrites nothing({});
  EXPECT_TRUE(this->tier_->store(nothing, {}).ok());
  EXPECT_TRUE(this->tier_->erase({}, {}).ok());
  EXPECT_TRUE(this->tier_->invalidate_tags({}).ok());
}

TYPED_TEST(L2Contract, AfterCloseNothingIsAsked) {
  store(*this->tier_, "k", "x");
  this->tier_->close();
  this->tier_->close();
  EXPECT_EQ(fetch(*this->tier_, "k").outcome, Outcome::kSkipped);
  EXPECT_EQ(store(*this->tier_, "k", "x"), Outcome::kSkipped);
  EXPECT_EQ(erase(*this->tier_, "k"), Outcome::kSkipped);
  EXPECT_EQ(touch(*this->tier_, "k", Millis(1)), Outcome::kSkipped);
  EXPECT_EQ(this->tier_->status(true).outcome, Outcome::kSkipped);
  const auto is_skipped = [](const base::Error& error) {
    return error.ok() || outcome_of(error.code) == Outcome::kSkipped;
  };
  std::uint64_t stamp = 99;
  EXPECT_TRUE(is_skipped(this->tier_->take_stamp(Tags{"red"}, Millis(1), stamp)));
  EXPECT_EQ(stamp, 0U);
  EXPECT_TRUE(is_skipped(this->tier_->invalidate_tags(Tags{"red"})));
  std::vector<std::string> erased;
  L2::Progress progress;
  EXPECT_TRUE(is_skipped(this->tier_->erase_matching("*", erased, progress)));
  EXPECT_TRUE(erased.empty());
  L2::Page page;
  EXPECT_TRUE(is_skipped(this->tier_->list("*", page)));
  EXPECT_TRUE(page.keys.empty());
  EXPECT_FALSE(this->tier_->is_silent());
}

TYPED_TEST(L2Contract, StatusAsksOnlyWhenTold) {
  EXPECT_EQ(this->tier_->status(false).outcome, Outcome::kSkipped);
  const Status probed = this->tier_->status(true);
  EXPECT_EQ(probed.outcome == Outcome::kHit, !probed.server.empty());
}

}  // namespace
}  // namespace vcache::l2
