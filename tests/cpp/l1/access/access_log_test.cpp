#include "l1/access/access_log.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <iomanip>
#include <limits>
#include <sstream>
#include <thread>

#include "l1/l1_cache.hpp"
#include "support/in_child.hpp"
#include "support/poll_until.hpp"
#include "support/scratch_folder.hpp"

namespace vcache::l1 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::poll_until;
using testing::ScratchFolder;

base::ValueView value(float cost = 0) {
  static const std::array<std::byte, 64> payload{};
  return {.payload = payload, .cost = cost};
}

std::string hex(std::uint64_t number) {
  std::ostringstream text;
  text << std::hex << std::setfill('0') << std::setw(16) << number;
  return text.str();
}

// A clock whose times are set apart.
struct JumpingClock final : base::Clock {
  base::Nanos steady_time = seconds(10);
  base::Millis wall_time{0};

  [[nodiscard]] base::Nanos steady() const noexcept override { return steady_time; }
  [[nodiscard]] base::Millis wall() const noexcept override { return wall_time; }
};

// A memory tier whose look-ups are recorded.
class AccessLogTest : public ::testing::Test {
 protected:
  AccessLogTest() { cache_.record_in(log_); }

  [[nodiscard]] AccessLogOptions log_options() const { return {.file = {.path = path_}}; }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::istringstream text(ScratchFolder::text_of(path_));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
  // As a cache without another tier looks up.
  void look_up(std::string_view key) {
    if (!cache_.find(key)) cache_.record(key, {.group = groups_.id_of(key)});
  }
  [[nodiscard]] std::vector<std::uint64_t> newest_keys(std::size_t most = AccessLog::kKept) {
    std::vector<std::uint64_t> keys;
    for (const Access& access : log_.newest(most)) keys.push_back(access.key);
    return keys;
  }

  ScratchFolder folder_;
  const std::string path_ = folder_.path("log.jsonl");
  base::ManualClock clock_{seconds(1000)};
  metrics::GroupTable groups_;
  L1Cache cache_{{.bytes = std::size_t{64} << 20, .policy = "lru", .seed = 5}, clock_, groups_};
  AccessLog log_{log_options(), cache_.shard_count(), clock_, groups_};
};

TEST_F(AccessLogTest, WritesALineALookUp) {
  look_up("emb:a");
  ASSERT_TRUE(cache_.insert("emb:a", value(0.5), kNoExpiry));
  clock_.advance(milliseconds(1500));
  look_up("emb:a");
  look_up("plain");
  log_.close();
  const std::string size = std::to_string(cache_.peek("emb:a")->block_bytes());
  const std::string a = hex(log_.hash_of("emb:a"));
  const std::string plain = hex(log_.hash_of("plain"));
  EXPECT_EQ(
      lines(),
      (std::vector<std::string>{
          R"({"time":1000.000,"key":")" + a + R"(","group":"emb","tier":null,"size":0,"cost":0})",
          R"({"time":1001.500,"key":")" + a + R"(","group":"emb","tier":"memory","size":)" + size +
              R"(,"cost":0.5})",
          R"({"time":1001.500,"key":")" + plain +
              R"(","group":"-","tier":null,"size":0,"cost":0})"}));
}

TEST_F(AccessLogTest, ABatchIsALineAKey) {
  std::vector<std::string> names;
  for (int i = 0; i < 300; ++i) names.push_back("k:" + std::to_string(i));
  const std::vector<std::string_view> keys(names.begin(), names.end());
  for (std::size_t i = 0; i < keys.size(); i += 2) cache_.insert(keys[i], value(), kNoExpiry);
  std::vector<EntryRef> found(keys.size());
  cache_.find_many(keys, found);
  log_.close();
  EXPECT_EQ(lines().size(), 150U);
  EXPECT_EQ(log_.counts().recorded, 150U);
}

TEST_F(AccessLogTest, ItsThreadWritesWithoutBeingAsked) {
  look_up("a");
  EXPECT_TRUE(poll_until([&] { return lines().size() == 1; }));
  look_up("b");
  EXPECT_TRUE(poll_until([&] { return lines().size() == 2; }));
}

TEST_F(AccessLogTest, GoesOnAfterItWasClosed) {
  log_.close();
  EXPECT_EQ(lines().size(), 0U);
  look_up("a");
  log_.close();
  log_.close();
  EXPECT_EQ(lines().size(), 1U);
  look_up("b");
  log_.close();
  EXPECT_EQ(lines().size(), 2U);
}

TEST_F(AccessLogTest, WhatIsDroppedIsCounted) {
  AccessRing& ring = log_.ring(0);
  while (ring.dropped() < 3) ring.push({.order = log_.take_places(1)});
  look_up("a");
  const std::uint64_t came = ring.accepted() + ring.dropped() + log_.ring(1).accepted();
  log_.close();
  const AccessLog::Counts counts = log_.counts();
  EXPECT_GE(counts.dropped, 3U);
  EXPECT_EQ(counts.recorded, lines().size());
  EXPECT_GE(counts.recorded + counts.dropped, came);
}

TEST_F(AccessLogTest, AClockThatIsSetBackIsFollowed) {
  JumpingClock clock;
  AccessLog log(log_options(), 1, clock, groups_);
  const auto at = [&](milliseconds wall) {
    clock.wall_time = wall;
    clock.steady_time += milliseconds(1);
    log.ring(0).push({.time = clock.steady().count(), .order = log.take_places(1)});
    return log.newest(1).front().time;
  };
  EXPECT_EQ(at(seconds(5000)), 5'000'000);
  EXPECT_EQ(at(seconds(5000) - milliseconds(400)), 5'000'000);  // a correction
  EXPECT_EQ(at(seconds(1000)), 1'000'000);                      // another time
  EXPECT_EQ(at(seconds(9000)), 9'000'000);
}

TEST_F(AccessLogTest, GroupsPastTheFirstAreOther) {
  for (int i = 0; i < 100; ++i) look_up("g" + std::to_string(i) + ":k");
  log_.close();
  std::size_t others = 0;
  for (const std::string& line : lines()) others += line.find(R"("group":"other")") != line.npos;
  EXPECT_EQ(others, 100 - (GroupNames::kMost - 2));
}

TEST_F(AccessLogTest, GroupsAreEscaped) {
  look_up("a\"b\\c:key");
  log_.close();
  EXPECT_NE(lines().at(0).find(R"("group":"a\"b\\c",)"), std::string::npos);
}

TEST_F(AccessLogTest, AnErrorOfTheFileIsToldOnceAndTriedAgain) {
  std::filesystem::create_directory(folder_.path("sub"));
  AccessLogOptions options{.file = {.path = folder_.path("sub/log.jsonl")}};
  ASSERT_TRUE(options.validate().ok());
  AccessLog log(options, 1, clock_, groups_);
  std::filesystem::rename(folder_.path("sub"), folder_.path("gone"));
  log.begin();
  log.ring(0).push({.order = log.take_places(1)});
  ASSERT_TRUE(poll_until([&] { return log.has_notice(); }));
  EXPECT_NE(log.take_notice()->find("cannot be written to: No such file"), std::string::npos);
  EXPECT_FALSE(log.take_notice());
  EXPECT_EQ(log.counts().errors, 1U);
  std::filesystem::rename(folder_.path("gone"), folder_.path("sub"));
  ASSERT_TRUE(poll_until([&] { return log.has_notice(); }));
  EXPECT_NE(log.take_notice()->find("is written to again"), std::string::npos);
  log.close();
  EXPECT_EQ(log.counts().recorded, 1U);
  EXPECT_NE(ScratchFolder::text_of(options.file.path), "");
}

TEST_F(AccessLogTest, WhatCouldNotBeWrittenAtTheEndIsDropped) {
  std::filesystem::create_directory(folder_.path("sub"));
  AccessLog log({.file = {.path = folder_.path("sub/log.jsonl")}}, 1, clock_, groups_);
  std::filesystem::remove_all(folder_.path("sub"));
  log.ring(0).push({.order = log.take_places(1)});
  log.close();
  EXPECT_EQ(log.counts().recorded, 0U);
  EXPECT_EQ(log.counts().dropped, 1U);
}

TEST_F(AccessLogTest, SaysWhichPathIsNotAllowed) {
  const base::Error error = AccessLogOptions{.file = {.path = folder_.path("")}}.validate();
  EXPECT_EQ(error.detail, "access_log='" + folder_.path("") +
                              "': Is a directory; allowed is the path of a file that this process "
                              "may make, read and write");
}

TEST_F(AccessLogTest, AChildWritesItsOwnLookUpsOnly) {
  if (!testing::kThreadsInChildren) GTEST_SKIP() << "the sanitizer allows no thread there";
  look_up("parent:1");
  const std::vector<std::uint64_t> before = newest_keys();
  cache_.lock_all();
  log_.before_fork();
  const bool held = testing::holds_in_child([&]() VCACHE_NO_THREAD_SAFETY_ANALYSIS {
    log_.after_fork_in_child();
    cache_.unlock_all();
    if (newest_keys() != before) return false;
    look_up("child:1");
    log_.close();
    return true;
  });
  log_.after_fork_in_parent();
  cache_.unlock_all();
  EXPECT_TRUE(held);
  log_.close();
  const auto found = lines();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_NE(found[0].find("\"child\""), std::string::npos);
  EXPECT_NE(found[1].find("\"parent\""), std::string::npos);
}

TEST_F(AccessLogTest, ManyThreadsLoseNothingUncounted) {
  constexpr int kEach = 20'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEach; ++i) look_up("k:" + std::to_string((i + t) % 50));
    });
  }
  for (int i = 0; i < 20; ++i) {
    if (i % 5 == 0) log_.close();
    (void)log_.newest(100);
    (void)log_.counts();
  }
  for (std::thread& thread : threads) thread.join();
  log_.close();
  const AccessLog::Counts counts = log_.counts();
  EXPECT_EQ(counts.recorded + counts.dropped, 4U * kEach);
  EXPECT_EQ(lines().size(), counts.recorded);
}

TEST_F(AccessLogTest, KeepsTheNewestInTheOrderOfLookUps) {
  ASSERT_GT(cache_.shard_count(), 1U);
  std::vector<std::uint64_t> hashes;
  for (int i = 0; i < 200; ++i) {  // at one time, of which some are hits
    const std::string key = "k:" + std::to_string(i);
    if (i % 3 == 0) cache_.insert(key, value(), kNoExpiry);
    look_up(key);
    hashes.push_back(log_.hash_of(key));
  }
  EXPECT_EQ(newest_keys(), hashes);
  EXPECT_EQ(newest_keys(1), std::vector<std::uint64_t>{hashes.back()});
  EXPECT_EQ(newest_keys(0), std::vector<std::uint64_t>{});
  EXPECT_EQ(newest_keys(), hashes);
  log_.close();
  EXPECT_EQ(lines().size(), hashes.size());
  EXPECT_EQ(newest_keys(), hashes);
}

TEST_F(AccessLogTest, TheOrderIsThatOfLookUpsWhileTheyAreCollected) {
  constexpr std::uint64_t kCount = 100'000;
  std::atomic<bool> done = false;
  std::thread producer([&] {
    for (std::uint64_t i = 0; i < kCount; ++i) {
      const std::size_t shard = i * 2654435761U % cache_.shard_count();
      log_.ring(shard).push({.key = i, .order = log_.take_places(1)});
    }
    done = true;
  });
  while (!done) (void)log_.newest(0);
  producer.join();
  const std::vector<std::uint64_t> keys = newest_keys();
  EXPECT_GT(keys.size(), 1'000U);
  EXPECT_TRUE(std::ranges::is_sorted(keys));
}

TEST_F(AccessLogTest, TheOrderOutlastsItsNumbers) {
  (void)log_.take_places(std::numeric_limits<std::uint32_t>::max() - 49);
  std::vector<std::uint64_t> hashes;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k:" + std::to_string(i);
    look_up(key);
    hashes.push_back(log_.hash_of(key));
  }
  EXPECT_EQ(newest_keys(), hashes);
}

}  // namespace
}  // namespace vcache::l1
