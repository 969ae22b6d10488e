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

TEST(GroupTest, IsNamelessWithoutText) {
  for (const std::string_view text : {"é:x", "日本:x", "\xF4\x8F\xBF\xBF:x", "a b:x", "~:x"}) {
    EXPECT_EQ(group_of(text), text.substr(0, text.find(':')));
  }
  for (const std::string_view bytes :
       {"\xFF:x", "\x80:x", "\xC0\x80:x", "\xC3:x", "\xE0\x9F\xBF:x", "\xED\xA0\x80:x",
        "\xF0\x8F\xBF\xBF:x", "\xF4\x90\x80\x80:x", "a\tb:x", "\x7F:x", "\xC2\x9F:x"}) {
    EXPECT_EQ(group_of(bytes), "-") << bytes;
  }
  EXPECT_EQ(group_of({"a\0b:x", 5}), "-");
}

TEST(GroupTableTest, IsBounded) {
  GroupTable table;
  for (int i = 0; i < 5000; ++i) {
    const std::string key = std::to_string(i) + ":x";
    for (int times = 0; times < 300; ++times) (void)table.id_of(key);
  }
  EXPECT_EQ(table.names().size(), GroupTable::kMaxGroups);
  EXPECT_EQ(table.id_of("another:x"), GroupTable::kOther);
  EXPECT_EQ(table.id_of(std::string(100, 'n') + ":x"), GroupTable::kOther);
}

TEST(GroupTableTest, NamesOfOneRequestLeaveNumbersForOthers) {
  GroupTable table;
  for (int i = 0; i < 5000; ++i) (void)table.id_of(std::to_string(i) + ":x");
  EXPECT_EQ(table.id_of("late:x"), GroupTable::kOther);
  const GroupId late = table.id_of("late:x");
  EXPECT_NE(late, GroupTable::kOther);
  EXPECT_EQ(table.id_of("late:y"), late);
}

TEST(GroupTableTest, BinaryKeysShareAGroupAndUseUpNone) {
  GroupTable table;
  const GroupId nameless = table.id_of("no colon");
  const std::size_t before = table.names().size();
  EXPECT_EQ(table.id_of("\xFF\xFE:1"), nameless);
  EXPECT_EQ(table.id_of(std::string(100, '\xFF') + ":1"), nameless);
  EXPECT_EQ(table.names().size(), before);
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
