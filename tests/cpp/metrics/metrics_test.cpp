#include <gtest/gtest.h>

#include <thread>

#include "metrics/group_table.hpp"
#include "metrics/latency.hpp"

namespace vcache::metrics {
namespace {

TEST(LatencyHistogramTest, PercentilesAreWithinASixteenth) {
  LatencyHistogram histogram;
  for (std::uint64_t i = 1; i <= 10000; ++i) histogram.record(i * 1000);
  const Percentiles p = histogram.percentiles();
  EXPECT_EQ(p.count, 10000U);
  EXPECT_NEAR(p.p50, 5.0e-3, 5.0e-3 / 16);
  EXPECT_NEAR(p.p95, 9.5e-3, 9.5e-3 / 16);
  EXPECT_NEAR(p.p99, 9.9e-3, 9.9e-3 / 16);
  EXPECT_NEAR(p.sum, 50.005, 1e-6);
}

TEST(LatencyHistogramTest, TakesZeroAndHugeDurations) {
  LatencyHistogram histogram;
  histogram.record(0);
  EXPECT_EQ(histogram.percentiles().p50, 0);
  histogram.record(~std::uint64_t{0});
  EXPECT_GT(histogram.percentiles().p99, 1000);
}

TEST(GroupTest, IsThePartBeforeTheFirstColon) {
  EXPECT_EQ(group_of("emb:model:1"), "emb");
  EXPECT_EQ(group_of("no colon"), "-");
  EXPECT_EQ(group_of(":x"), "");
}

TEST(GroupTableTest, GivesEqualGroupsEqualNumbers) {
  GroupTable table;
  const GroupId a = table.id_of("a:1");
  EXPECT_EQ(table.id_of("a:2"), a);
  EXPECT_NE(table.id_of("b:2"), a);
  EXPECT_EQ(table.names()[a], "a");
}

TEST(GroupTableTest, IsBounded) {
  GroupTable table;
  for (int i = 0; i < 5000; ++i) (void)table.id_of(std::to_string(i) + ":x");
  EXPECT_EQ(table.names().size(), GroupTable::kMaxGroups);
  EXPECT_EQ(table.id_of("another:x"), GroupTable::kOther);
  EXPECT_EQ(table.id_of(std::string(100, 'n') + ":x"), GroupTable::kOther);
}

TEST(GroupTableTest, ThreadsAgreeOnNumbers) {
  GroupTable table;
  std::vector<std::vector<GroupId>> seen(4);
  std::vector<std::thread> threads;
  for (auto& mine : seen) {
    threads.emplace_back([&table, &mine] {
      for (int i = 0; i < 500; ++i) mine.push_back(table.id_of("g" + std::to_string(i) + ":x"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& other : seen) EXPECT_EQ(other, seen[0]);
}

}  // namespace
}  // namespace vcache::metrics
