#include "l2/tracking/invalidations.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "l2/client/reply_reader.hpp"
#include "l2/tracking/own_writes.hpp"

namespace vcache::l2::tracking {
namespace {

class InvalidationsTest : public ::testing::Test, protected Invalidations::Sink {
 protected:
  void say(std::string_view bytes) {
    const std::span<char> room = reader_.room();
    ASSERT_GE(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), bytes.size());
    reader_.commit(bytes.size());
    ASSERT_TRUE(reader_.parse(nobody_, 0).ok());
  }

  void listen(Invalidations& to) { reader_.send_pushes_to(to); }

  std::vector<std::string> log_;
  ServerFacts facts_{base::system_clock()};
  ErrorCounters errors_;
  command::Context context_{"ns", 4096, facts_, errors_};
  Invalidations invalidations_{context_, *this};

 private:
  class Nobody final : public client::ReplySink {
   public:
    void on_part(const client::ReplyPart& /*part*/) noexcept override {}
  };

  void SetUp() override { listen(invalidations_); }
  void on_changes(const Changes& changes) noexcept override {
    for (const auto key : changes.keys) log_.push_back("key " + std::string(key));
    for (const auto tag : changes.tags) log_.push_back("tag " + std::string(tag));
    for (const auto key : changes.leases) log_.push_back("lease " + std::string(key));
    if (changes.generation) log_.emplace_back("generation");
    if (changes.all) log_.emplace_back("all");
  }

  Nobody nobody_;
  client::ReplyReader reader_{client::ReplyLimits{}};
};

TEST_F(InvalidationsTest, SortsNamesByWhatTheyAre) {
  say(">2\r\n$10\r\ninvalidate\r\n*6\r\n$4\r\nns:a\r\n$6\r\nns!gen\r\n$9\r\nns!tag:rd\r\n"
      "$10\r\nns!lease:x\r\n$7\r\nother:a\r\n$3\r\nns:\r\n");
  EXPECT_EQ(log_, (std::vector<std::string>{"key a", "key ", "tag rd", "lease x", "generation"}));
  EXPECT_FALSE(invalidations_.lost());
}

TEST_F(InvalidationsTest, NothingNamedMeansAll) {
  say(">2\r\n$10\r\ninvalidate\r\n_\r\n");
  say(">2\r\n$10\r\ninvalidate\r\n*0\r\n");
  EXPECT_EQ(log_, std::vector<std::string>{"all"});
}

TEST_F(InvalidationsTest, OtherPushesAreNoneOfItsBusiness) {
  say(">3\r\n+message\r\n+channel\r\n*1\r\n$4\r\nns:a\r\n>1\r\n:7\r\n>0\r\n");
  EXPECT_TRUE(log_.empty());
  EXPECT_FALSE(invalidations_.lost());
}

TEST_F(InvalidationsTest, WhatItCannotUnderstandIsLost) {
  for (const std::string_view body : {":7\r\n", "$1\r\nx\r\n", "*1\r\n:7\r\n",
                                      "*1\r\n*1\r\n$4\r\nns:a\r\n", "%1\r\n+a\r\n+b\r\n"}) {
    Invalidations fresh(context_, *this);
    listen(fresh);
    say(">2\r\n$10\r\ninvalidate\r\n" + std::string(body));
    EXPECT_TRUE(fresh.lost()) << body;
  }
  EXPECT_TRUE(log_.empty());
}

TEST(OwnWritesTest, RemembersTheLastChecksumOfEachKey) {
  OwnWrites own;
  const codec::Fingerprint a = codec::fingerprint("ns", "a");
  own.note(a, 1);
  EXPECT_FALSE(own.find(a)) << "not wanted yet";
  own.enable();
  own.note(a, 1);
  own.note(a, 2);
  EXPECT_EQ(own.find(a), 2U);
  own.note_again(a, 1, 3);
  EXPECT_EQ(own.find(a), 2U) << "somebody else's value under another header";
  own.note_again(a, 2, 3);
  EXPECT_EQ(own.find(a), 3U);
  own.forget(a);
  EXPECT_FALSE(own.find(a));
  own.note(a, 4);
  own.clear();
  EXPECT_FALSE(own.find(a));
}

TEST(OwnWritesTest, IsBounded) {
  OwnWrites own;
  own.enable();
  constexpr int kMany = 100'000;
  int known = 0;
  for (int i = 0; i < kMany; ++i) own.note(codec::fingerprint("ns", std::to_string(i)), 7);
  for (int i = 0; i < kMany; ++i) {
    known += own.find(codec::fingerprint("ns", std::to_string(i))) ? 1 : 0;
  }
  EXPECT_GT(known, 10'000);
  EXPECT_LE(known, 16'384);
  EXPECT_TRUE(own.find(codec::fingerprint("ns", std::to_string(kMany - 1))));
}

TEST(OwnWritesTest, RecordsKeysUntilThereAreTooMany) {
  OwnWrites own;
  own.enable();
  ASSERT_TRUE(own.recording());
  own.record("a", codec::fingerprint("ns", "a"), 1);
  const std::array<std::string_view, 1> tags{"red"};
  own.record_tags(tags);
  const auto recorded = own.take_recorded();
  ASSERT_TRUE(recorded);
  EXPECT_EQ(recorded->keys, std::vector<std::string>{"a"});
  EXPECT_EQ(recorded->tags, std::vector<std::string>{"red"});
  EXPECT_FALSE(own.recording());
  own.record("late", codec::fingerprint("ns", "late"), 1);
  EXPECT_EQ(own.take_recorded().value_or(OwnWrites::Recorded{}).keys,
            std::vector<std::string>{"late"});
  for (int i = 0; i < 5000; ++i) own.record("k", codec::fingerprint("ns", "k"), 1);
  EXPECT_FALSE(own.take_recorded());
}

}  // namespace
}  // namespace vcache::l2::tracking
