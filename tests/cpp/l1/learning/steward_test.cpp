#include "l1/learning/steward.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "../policy/policy_cache.hpp"
#include "support/models.hpp"

namespace vcache::l1::learning {
namespace {

using policy::EntryId;
using policy::Generation;
using policy::kNoEntry;
using policy::Named;
using policy::Note;
using policy::NoteQueue;
using std::chrono::seconds;
using testing::hash_of;
using Kind = Note::Kind;

constexpr std::uint32_t kBytes = 100;

Note note(Kind kind, EntryId id, Generation generation = 1, std::uint32_t bytes = kBytes) {
  return {.key_hash = hash_of(id + 1'000U * generation),
          .id = id,
          .bytes = bytes,
          .generation = generation,
          .kind = kind};
}

Known known(EntryId id, Generation generation = 1, std::uint32_t bytes = kBytes) {
  return {.named = {.id = id, .generation = generation},
          .candidate = {.key_hash = note(Kind::kInsert, id, generation).key_hash, .bytes = bytes}};
}

std::vector<Known> first(EntryId count) {
  std::vector<Known> all;
  for (EntryId id = 0; id < count; ++id) all.push_back(known(id));
  return all;
}

class StewardTest : public ::testing::Test {
 protected:
  StewardTest() { steward_.lock(); }
  ~StewardTest() override { steward_.unlock(); }

  void tell(std::initializer_list<Note> notes) VCACHE_NO_THREAD_SAFETY_ANALYSIS {
    for (const Note& each : notes) ASSERT_TRUE(notes_.push(each));
    steward_.read(notes_);
  }
  void tell(Kind kind, EntryId from, EntryId to) VCACHE_NO_THREAD_SAFETY_ANALYSIS {
    for (EntryId id = from; id < to; ++id) tell({note(kind, id)});
  }
  std::vector<Named> choose(const Demand& demand) VCACHE_NO_THREAD_SAFETY_ANALYSIS {
    const auto chosen = steward_.choose(demand);
    return {chosen.begin(), chosen.end()};
  }
  policy::Learned& learned() VCACHE_NO_THREAD_SAFETY_ANALYSIS { return steward_.policy(); }
  void start_again(const std::vector<Known>& entries) VCACHE_NO_THREAD_SAFETY_ANALYSIS {
    steward_.start_again(entries);
  }
  void rest() VCACHE_NO_THREAD_SAFETY_ANALYSIS { steward_.rest(); }
  void meet_tutor() VCACHE_NO_THREAD_SAFETY_ANALYSIS { steward_.meet_tutor(); }
  bool pin(std::string_view expert) VCACHE_NO_THREAD_SAFETY_ANALYSIS {
    return steward_.pin(expert);
  }
  std::optional<double> predict(std::uint64_t key_hash,
                                EntryId id) VCACHE_NO_THREAD_SAFETY_ANALYSIS {
    return steward_.predict(key_hash, id);
  }

  base::ManualClock clock_{seconds(1'000)};
  Tutor tutor_{{}, clock_, [] {}};
  NoteQueue notes_{1'024};
  Steward steward_{{.frozen = testing::model_of(testing::kAccessesInput, 1), .seed = 3}, tutor_};
};

TEST_F(StewardTest, ReadsWhatHappenedInOrder) {
  tell({note(Kind::kInsert, 0), note(Kind::kInsert, 1, 1, 70), note(Kind::kHit, 0),
        note(Kind::kUpdate, 1, 1, 30), note(Kind::kErase, 0), note(Kind::kInsert, 0, 2, 5),
        note(Kind::kInsert, 2), note(Kind::kEvict, 2)});
  EXPECT_EQ(learned().size(), 2U);
  EXPECT_EQ(learned().bytes(), 35U);
  EXPECT_EQ(learned().candidate(0).key_hash, note(Kind::kInsert, 0, 2).key_hash);
  EXPECT_EQ(learned().candidate(1).bytes, 30U);
  EXPECT_EQ(notes_.size(), 0U);
}

TEST_F(StewardTest, IgnoresNotesOfWhatItDoesNotKnow) {
  tell({note(Kind::kInsert, 0, 2)});
  for (const Kind kind : {Kind::kHit, Kind::kUpdate, Kind::kErase, Kind::kEvict, Kind::kSpared}) {
    tell({note(kind, 0, 1), note(kind, 7, 1)});
  }
  EXPECT_EQ(learned().size(), 1U);
  EXPECT_EQ(learned().bytes(), kBytes);
  tell({note(Kind::kInsert, 0, 3, 8)});
  EXPECT_EQ(learned().size(), 1U) << "that the entry before left was not told";
  EXPECT_EQ(learned().bytes(), 8U);
}

TEST_F(StewardTest, ChoosesWhatIsAskedForAndAFewMore) {
  tell(Kind::kInsert, 0, 640);
  EXPECT_EQ(choose({}).size(), 10U) << "one in 64";
  EXPECT_EQ(choose({.entries = 25}).size(), 25U);
  EXPECT_EQ(choose({.bytes = 31 * kBytes - 1}).size(), 31U);
  std::set<EntryId> ids;
  for (const Named& each : choose({.entries = 50})) {
    EXPECT_TRUE(learned().is_chosen(each.id));
    EXPECT_EQ(each.generation, 1U);
    ids.insert(each.id);
  }
  EXPECT_EQ(ids.size(), 50U) << "each once";
  EXPECT_LE(choose({.entries = 10'000}).size(), 640U - 116U);
}

TEST_F(StewardTest, ChoosesNothingOfNothing) {
  EXPECT_TRUE(choose({.bytes = 1'000, .entries = 3}).empty());
  tell({note(Kind::kInsert, 0)});
  EXPECT_EQ(choose({.bytes = 1'000}).size(), 1U);
  EXPECT_TRUE(choose({.bytes = 1'000}).empty()) << "what is chosen is not chosen again";
}

TEST_F(StewardTest, WhatWasUsedCanBeChosenAgain) {
  for (const Kind use : {Kind::kHit, Kind::kUpdate, Kind::kSpared}) {
    tell({note(Kind::kInsert, 0)});
    ASSERT_EQ(choose({.entries = 1}).size(), 1U);
    tell({note(use, 0)});
    EXPECT_FALSE(learned().is_chosen(0)) << static_cast<int>(use);
    EXPECT_EQ(choose({.entries = 1}).size(), 1U);
    tell({note(Kind::kEvict, 0)});
    EXPECT_EQ(learned().size(), 0U);
  }
}

// The hit for which it was spared was told of before.
TEST_F(StewardTest, ASparedEntryIsNotHitTwice) {
  tell({note(Kind::kInsert, 0)});
  ASSERT_EQ(choose({.entries = 1}).size(), 1U);
  const auto before = learned().now();
  tell({note(Kind::kHit, 0), note(Kind::kSpared, 0)});
  EXPECT_EQ(learned().now() - before, 1U);
}

TEST_F(StewardTest, StartsAgainFromWhatThereIs) {
  tell(Kind::kInsert, 0, 6);
  ASSERT_EQ(choose({.entries = 3}).size(), 3U);
  // 0 and 1 stay, 2 is another entry by now, 3 to 5 left, 6 came.
  start_again({known(0), known(1, 1, 40), known(2, 2), known(6)});
  EXPECT_EQ(learned().size(), 4U);
  EXPECT_EQ(learned().bytes(), 3 * kBytes + 40U) << "1 got another value";
  EXPECT_EQ(learned().candidate(1).bytes, 40U);
  EXPECT_EQ(learned().candidate(2).key_hash, known(2, 2).candidate.key_hash);
  for (EntryId id = 0; id < 7; ++id) {
    const bool is_there = id < 3 || id == 6;
    EXPECT_EQ(learned().holds(id), is_there) << id;
    EXPECT_FALSE(is_there && learned().is_chosen(id)) << id;
  }
  EXPECT_EQ(choose({.entries = 4}).size(), 4U) << "nothing is chosen for ever";
}

// A generation is 16 bits: the same one may be another entry's.
TEST_F(StewardTest, StartsAgainByKeysToo) {
  tell({note(Kind::kInsert, 0)});
  Known other = known(0);
  other.candidate.key_hash = hash_of(4'711);
  start_again({other});
  EXPECT_EQ(learned().size(), 1U);
  EXPECT_EQ(learned().candidate(0).key_hash, hash_of(4'711));
}

TEST_F(StewardTest, KnowsNothingAfterARest) {
  tell(Kind::kInsert, 0, 100);
  ASSERT_FALSE(choose({.entries = 3}).empty());
  rest();
  EXPECT_EQ(learned().size(), 0U);
  EXPECT_EQ(learned().now(), 0U);
  start_again(first(10));
  EXPECT_EQ(choose({.entries = 10}).size(), 10U);
}

TEST_F(StewardTest, WhatIsPinnedStaysPinnedOverARest) {
  ASSERT_TRUE(pin("arc"));
  rest();
  EXPECT_EQ(learned().leader(), "arc");
  EXPECT_FALSE(pin("gdsf")) << "it takes no part";
  ASSERT_TRUE(pin(""));
  rest();
  EXPECT_EQ(learned().leader(), "frozen");
}

// Prediction

constexpr EntryId kPopular = 0;

class StewardPredictionTest : public StewardTest {
 protected:
  // So many accesses in each of so many seconds, of which one entry gets half.
  void live(int seconds_passed, int rate) {
    for (int second = 0; second < seconds_passed; ++second) {
      meet_tutor();
      for (int i = 0; i < rate / 2; ++i) {
        tell({note(Kind::kHit, kPopular), note(Kind::kHit, static_cast<EntryId>(1 + i % 50))});
      }
      clock_.advance(seconds(1));
    }
    meet_tutor();
  }
  std::optional<double> popular() {
    return predict(note(Kind::kInsert, kPopular).key_hash, kPopular);
  }
};

TEST_F(StewardPredictionTest, RisesWithTheRate) {
  tell(Kind::kInsert, 0, 51);
  live(20, 2);
  const double slow = popular().value();
  live(60, 2'000);
  EXPECT_GT(popular().value(), slow);
}

TEST_F(StewardPredictionTest, SaysNothingOfAnUnknownKey) {
  tell(Kind::kInsert, 0, 51);
  live(3, 100);
  EXPECT_FALSE(predict(hash_of(999'999), kNoEntry));
  tell({note(Kind::kErase, kPopular)});
  EXPECT_TRUE(popular()) << "a ghost";
}

// The count of accesses begins anew then, and the rate is not their difference: it would be of four
// billion accesses.
TEST_F(StewardPredictionTest, ARestDoesNotRaiseTheRate) {
  tell(Kind::kInsert, 0, 51);
  live(10, 2);
  rest();
  start_again(first(51));
  clock_.advance(seconds(2'000));
  meet_tutor();
  clock_.advance(seconds(2'000));
  meet_tutor();
  const double idle = popular().value();
  live(60, 2'000);
  EXPECT_LT(idle, popular().value());
}

}  // namespace
}  // namespace vcache::l1::learning
