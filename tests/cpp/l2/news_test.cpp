#include "l2/news.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "l2/error_kind.hpp"
#include "support/fake_clock.hpp"

namespace vcache::l2 {
namespace {

std::vector<std::string> texts(News& news) {
  std::vector<std::string> out;
  for (const Event& event : news.take()) out.push_back(event.text);
  return out;
}

TEST(NewsTest, TellsEachEventOnceTheOldestFirst) {
  News news;
  EXPECT_FALSE(news.any());
  news.tell({.level = Event::Level::kWarning, .text = "a"});
  news.tell({.text = "b"});
  EXPECT_TRUE(news.any());
  EXPECT_EQ(texts(news), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(news.any());
  EXPECT_TRUE(news.take().empty());
}

TEST(NewsTest, KeepsTheLastOfThemWhereNobodyListens) {
  News news;
  for (int i = 0; i < 1000; ++i) news.tell({.text = std::to_string(i)});
  const std::vector<std::string> kept = texts(news);
  EXPECT_EQ(kept.size(), 64U);
  EXPECT_EQ(kept.back(), "999");
}

TEST(ErrorReportTest, OneLineAMinuteForEachKind) {
  testing::FakeClock clock;
  News news;
  ErrorCounters errors(news, clock);
  for (int second = 0; second < 120; ++second) {
    for (int i = 0; i < 10; ++i) errors.add(ErrorKind::kTimeout);
    if (second == 30) errors.add(ErrorKind::kCorrupt, 3);
    clock.advance(std::chrono::seconds(1));
  }
  EXPECT_EQ(texts(news), (std::vector<std::string>{
                             "errors of kind timeout: 1 since the last report of them",
                             "errors of kind corrupt: 3 since the last report of them",
                             "errors of kind timeout: 600 since the last report of them"}));
}

TEST(ErrorReportTest, CallsThatWereNotMadeAreNoNews) {
  testing::FakeClock clock;
  News news;
  ErrorCounters errors(news, clock);
  errors.add(ErrorKind::kBreakerOpen, 1000);
  EXPECT_FALSE(news.any());
  EXPECT_EQ(errors.snapshot().at("breaker_open"), 1000U);
}

}  // namespace
}  // namespace vcache::l2
