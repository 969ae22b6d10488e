#include "l2/client/reply_reader.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>

namespace vcache::l2::client {
namespace {

// Renders what it is given: "reply/depth/index type:value;".
class Recorder final : public ReplySink {
 public:
  void on_part(const ReplyPart& part) noexcept override {
    constexpr const char* kNames[] = {"str", "ok", "int", "nil", "arr", "err"};
    log += std::to_string(part.reply) + "/" + std::to_string(part.depth) + "/" +
           std::to_string(part.index) + " " + kNames[static_cast<std::size_t>(part.type)];
    if (!part.text.empty()) log += ":" + std::string(part.text);
    if (part.type == ReplyType::kInteger || part.type == ReplyType::kArray) {
      log += ":" + std::to_string(part.integer);
    }
    log += ";";
  }
  std::string log;
};

// Feeds `bytes` in pieces of `step`.
base::Error feed(ReplyReader& reader, ReplySink& sink, std::string_view bytes, std::size_t step,
                 std::size_t limit = 1000) {
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const std::string_view piece = bytes.substr(at, step);
    const std::span<char> room = reader.room();
    if (room.size() < piece.size()) return {base::ErrorCode::kBusy};
    std::memcpy(room.data(), piece.data(), piece.size());
    reader.commit(piece.size());
    if (base::Error error = reader.parse(sink, limit); !error.ok()) return error;
  }
  return {};
}

constexpr std::string_view kMixed =
    "+OK\r\n:42\r\n$5\r\nhe\r\no\r\n$-1\r\n*3\r\n$1\r\na\r\n*1\r\n:7\r\n$-1\r\n-ERR "
    "no\r\n$0\r\n\r\n";
constexpr std::string_view kMixedLog =
    "0/0/0 ok:OK;1/0/0 int:42;2/0/0 str:he\r\no;3/0/0 nil;4/0/0 arr:3;4/1/0 str:a;4/1/1 arr:1;"
    "4/2/0 int:7;4/1/2 nil;5/0/0 err:ERR no;6/0/0 str;";

TEST(ReplyReaderTest, VisitsEveryNodeWhereverTheBytesAreCut) {
  for (std::size_t step = 1; step <= kMixed.size(); ++step) {
    ReplyReader reader({});
    Recorder recorder;
    ASSERT_TRUE(feed(reader, recorder, kMixed, step).ok());
    EXPECT_EQ(recorder.log, kMixedLog) << step;
    EXPECT_EQ(reader.replies(), 7U);
    EXPECT_TRUE(reader.empty());
  }
}

TEST(ReplyReaderTest, StopsAtTheLimitAndIsNotEmpty) {
  ReplyReader reader({});
  Recorder recorder;
  ASSERT_TRUE(feed(reader, recorder, "+A\r\n+B\r\n", 8, 1).ok());
  EXPECT_EQ(recorder.log, "0/0/0 ok:A;");
  EXPECT_FALSE(reader.empty()) << "a reply that nobody asked for";
}

TEST(ReplyReaderTest, PartOfAReplyIsNotEmpty) {
  for (const std::string_view part : {"+", "*2\r\n", "$3\r\nab", "$"}) {
    ReplyReader reader({});
    Recorder recorder;
    ASSERT_TRUE(feed(reader, recorder, part, 1).ok());
    EXPECT_FALSE(reader.empty()) << part;
  }
}

// Renders pushes as Recorder does replies, each closed by "|".
class PushRecorder final : public PushSink {
 public:
  void on_push_part(const ReplyPart& part) noexcept override {
    ReplyPart push = part;
    push.reply = 0;
    recorder_.on_part(push);
  }
  void on_push_end() noexcept override { recorder_.log += "|"; }
  [[nodiscard]] const std::string& log() const noexcept { return recorder_.log; }

 private:
  Recorder recorder_;
};

TEST(ReplyReaderTest, HandsPushesToASinkOfTheirOwnWhereverTheBytesAreCut) {
  constexpr std::string_view bytes =
      ">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n+A\r\n>1\r\n+x\r\n*1\r\n:1\r\n"
      ">2\r\n$10\r\ninvalidate\r\n_\r\n";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    ReplyReader reader({});
    Recorder recorder;
    PushRecorder pushes;
    reader.send_pushes_to(pushes);
    ASSERT_TRUE(feed(reader, recorder, bytes, step, 2).ok());
    EXPECT_EQ(recorder.log, "0/0/0 ok:A;1/0/0 arr:1;1/1/0 int:1;");
    EXPECT_EQ(pushes.log(),
              "0/0/0 arr:2;0/1/0 str:invalidate;0/1/1 arr:2;0/2/0 str:a;0/2/1 str:b;|"
              "0/0/0 arr:1;0/1/0 ok:x;|0/0/0 arr:2;0/1/0 str:invalidate;0/1/1 nil;|");
    EXPECT_EQ(reader.replies(), 2U);
    EXPECT_TRUE(reader.empty()) << step;
  }
}

TEST(ReplyReaderTest, ReadsPushesWhereNoReplyIsOwed) {
  ReplyReader reader({});
  Recorder recorder;
  PushRecorder pushes;
  reader.send_pushes_to(pushes);
  ASSERT_TRUE(feed(reader, recorder, ">1\r\n+a\r\n>1\r\n+b\r\n+A\r\n>1\r\n+c\r\n", 3, 0).ok());
  EXPECT_EQ(recorder.log, "") << "a reply that nobody asked for";
  EXPECT_EQ(pushes.log(), "0/0/0 arr:1;0/1/0 ok:a;|0/0/0 arr:1;0/1/0 ok:b;|");
  EXPECT_FALSE(reader.empty());
}

TEST(ReplyReaderTest, PushesAreNobodysReply) {
  ReplyReader reader({});
  Recorder recorder;
  constexpr std::string_view bytes =
      "+A\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n+B\r\n>1\r\n_\r\n";
  ASSERT_TRUE(feed(reader, recorder, bytes, bytes.size()).ok());
  EXPECT_EQ(recorder.log, "0/0/0 ok:A;1/0/0 ok:B;");
  EXPECT_EQ(reader.replies(), 2U);
}

TEST(ReplyReaderTest, Resp3ScalarsAreRead) {
  ReplyReader reader({});
  Recorder recorder;
  ASSERT_TRUE(
      feed(reader, recorder, "#t\r\n,1.5\r\n_\r\n%1\r\n+a\r\n:1\r\n=5\r\ntxt:x\r\n", 3).ok());
  EXPECT_EQ(recorder.log,
            "0/0/0 int:1;1/0/0 str:1.5;2/0/0 nil;3/0/0 arr:2;3/1/0 ok:a;3/1/1 int:1;"
            "4/0/0 str:txt:x;");
}

TEST(ReplyReaderTest, RefusesWhatIsOverTheLimits) {
  const ReplyLimits limits{.string_bytes = 100, .elements = 10, .depth = 8};
  struct Case {
    std::string bytes;
    bool oversized;
  };
  std::string deep;
  for (int i = 0; i < 500'000; ++i) deep += "*1\r\n";
  const std::vector<Case> cases = {
      {"$101\r\n", true},
      {"$101\r\n" + std::string(101, 'x') + "\r\n", true},
      {"$9223372036854775807\r\n", true},
      {"$99999999999999999999999\r\n", false},
      {"$-2\r\n", false},
      {"$1" + std::string(100, '0'), false},
      {"*11\r\n", false},
      {"*200000000\r\n", false},
      {"%9223372036854775807\r\n", false},
      {deep, false},
      {"?\r\n", false},
      {":12a\r\n", false},
      {"+" + std::string(100'000, 'x'), false},
  };
  for (const Case& bad : cases) {
    ReplyReader reader(limits);
    Recorder recorder;
    const base::Error error = feed(reader, recorder, bad.bytes, 4096);
    EXPECT_EQ(error.code, base::ErrorCode::kProtocol) << bad.bytes.substr(0, 30);
    EXPECT_EQ(reader.oversized(), bad.oversized) << bad.bytes.substr(0, 30);
  }
  ReplyReader reader(limits);
  Recorder recorder;
  EXPECT_TRUE(feed(reader, recorder, "$100\r\n" + std::string(100, 'x') + "\r\n", 7).ok());
}

TEST(ReplyReaderTest, MakesRoomForALargeStringAtOnceAndLetsItGo) {
  ReplyReader reader({.string_bytes = 64U << 20});
  Recorder recorder;
  const std::size_t size = 8U << 20;
  ASSERT_TRUE(feed(reader, recorder, "$" + std::to_string(size) + "\r\n", 64).ok());
  EXPECT_GE(reader.room().size(), size);
  ASSERT_TRUE(feed(reader, recorder, std::string(size, 'x') + "\r\n", 1U << 20).ok());
  EXPECT_TRUE(reader.empty());
  EXPECT_LT(reader.room().size(), size);
}

TEST(ReplyReaderTest, TakesLittleAtOnceOfManyRepliesButALargeStringWhole) {
  ReplyReader reader({.string_bytes = 64U << 20});
  Recorder recorder;
  EXPECT_LT(reader.room(2).size(), reader.room(1).size());
  ASSERT_TRUE(feed(reader, recorder, "$1000000\r\n", 64).ok());
  EXPECT_GE(reader.room(2).size(), 1'000'000U);
}

TEST(ReplyReaderTest, CountsFromZeroAgain) {
  ReplyReader reader({});
  Recorder recorder;
  ASSERT_TRUE(feed(reader, recorder, "+A\r\n", 4).ok());
  reader.begin();
  ASSERT_TRUE(feed(reader, recorder, "+B\r\n", 4).ok());
  EXPECT_EQ(recorder.log, "0/0/0 ok:A;0/0/0 ok:B;");
}

}  // namespace
}  // namespace vcache::l2::client
