#include "l1/policy/prepared.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

#include "l1/policy/notes.hpp"

namespace vcache::l1::policy {
namespace {

using Kind = Note::Kind;

std::vector<Note> notes_of(const Prepared& policy) {
  std::vector<Note> notes;
  policy.notes().drain([&](const Note& note) { notes.push_back(note); });
  return notes;
}

void fill(Prepared& policy, EntryId count) {
  for (EntryId id = 0; id < count; ++id) policy.on_insert(id, {.key_hash = 100 + id, .bytes = 10});
}

TEST(NoteQueue, KeepsTheOrderAndRefusesWhenFull) {
  NoteQueue queue(4);
  for (EntryId id = 0; id < 4; ++id) EXPECT_TRUE(queue.push({.id = id}));
  EXPECT_FALSE(queue.push({.id = 4}));
  EntryId next = 0;
  EXPECT_EQ(queue.drain([&](const Note& note) { EXPECT_EQ(note.id, next++); }), 4U);
  EXPECT_TRUE(queue.push({.id = 9}));
  EXPECT_EQ(queue.size(), 1U);
}

TEST(NoteQueue, OneThreadReadsWhatAnotherWrites) {
  constexpr EntryId kCount = 200'000;
  NoteQueue queue(64);
  std::thread writer([&] {
    for (EntryId id = 0; id < kCount;) id += queue.push({.key_hash = id, .id = id}) ? 1 : 0;
  });
  EntryId next = 0;
  bool in_order = true;
  while (next < kCount) {
    queue.drain([&](const Note& note) {
      in_order = in_order && note.id == next && note.key_hash == next;
      ++next;
    });
  }
  writer.join();
  EXPECT_TRUE(in_order);
}

TEST(Prepared, NotesWhatHappensInOrder) {
  Prepared policy;
  policy.on_insert(0, {.key_hash = 7, .bytes = 3, .cost = 2});
  policy.on_hit(0);
  policy.on_update(0, {.key_hash = 7, .bytes = 5, .cost = 4});
  policy.on_erase(0);
  policy.on_insert(0, {.key_hash = 8, .bytes = 1});
  EXPECT_EQ(policy.evict(), 0U);
  const std::vector<Note> notes = notes_of(policy);
  ASSERT_EQ(notes.size(), 6U);
  const std::array kinds = {Kind::kInsert, Kind::kHit,    Kind::kUpdate,
                            Kind::kErase,  Kind::kInsert, Kind::kEvict};
  for (std::size_t i = 0; i < kinds.size(); ++i) EXPECT_EQ(notes[i].kind, kinds[i]) << i;
  EXPECT_EQ(notes[0].key_hash, 7U);
  EXPECT_EQ(notes[2].bytes, 5U);
  EXPECT_EQ(notes[2].cost, 4);
  EXPECT_EQ(notes[3].generation, notes[0].generation);
  EXPECT_NE(notes[4].generation, notes[0].generation) << "the id is another entry's";
}

TEST(Prepared, EvictsWhatIsPreparedInThatOrder) {
  Prepared policy;
  fill(policy, 8);
  policy.prepare(std::array{policy.named(5), policy.named(2)});
  EXPECT_EQ(policy.prepared(), 2U);
  EXPECT_EQ(policy.prepared_bytes(), 20U);
  policy.prepare(std::array{policy.named(7)});
  for (const EntryId victim : {5U, 2U, 7U}) EXPECT_EQ(policy.evict(), victim);
  EXPECT_EQ(policy.counts().prepared, 3U);
  EXPECT_EQ(policy.counts().unprepared, 0U);
}

// Its reader is told: the note of the hit may have found no room.
TEST(Prepared, SparesWhatIsHitBeforeItsTurn) {
  Prepared policy;
  fill(policy, 4);
  policy.on_hit(2);  // before it was chosen: known to who chose
  policy.prepare(std::array{policy.named(1), policy.named(2)});
  policy.on_hit(1);
  (void)notes_of(policy);
  EXPECT_EQ(policy.evict(), 2U);
  const std::vector<Note> notes = notes_of(policy);
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_EQ(notes[0].kind, Kind::kSpared);
  EXPECT_EQ(notes[0].id, 1U);
  EXPECT_EQ(notes[1].kind, Kind::kEvict);
}

TEST(Prepared, IgnoresWhatIsGoneOrAnothersByNow) {
  Prepared policy;
  fill(policy, 4);
  const std::array chosen = {policy.named(0), policy.named(1), policy.named(2)};
  policy.on_erase(0);
  policy.on_erase(1);
  policy.on_insert(1, {.key_hash = 55, .bytes = 10});
  policy.prepare(chosen);
  EXPECT_EQ(policy.prepared(), 1U);
  policy.on_erase(2);
  policy.on_hit(3);
  EXPECT_EQ(policy.evict(), 1U) << "by the hand: 2 is gone and 3 was used";
  EXPECT_EQ(policy.size(), 1U);
}

// So that whoever chooses knows what is missing.
TEST(Prepared, CountsWhatIsPreparedAndStillThere) {
  Prepared policy;
  fill(policy, 8);
  const auto expect = [&](std::size_t entries, std::uint64_t bytes) {
    EXPECT_EQ(policy.prepared(), entries);
    EXPECT_EQ(policy.prepared_bytes(), bytes);
  };
  policy.prepare(std::array{policy.named(1), policy.named(2), policy.named(3), policy.named(4)});
  expect(4, 40);
  policy.on_update(4, {.key_hash = 104, .bytes = 25});
  expect(4, 55);
  policy.on_erase(2);
  expect(3, 45);
  policy.prepare(std::array{policy.named(3)});
  expect(3, 45);
  EXPECT_EQ(policy.evict(), 1U);
  expect(2, 35);
  EXPECT_EQ(policy.evict(), 3U);
  EXPECT_EQ(policy.evict(), 0U) << "4 was updated: by the hand";
  expect(0, 0);
  policy.prepare(std::array{policy.named(5), policy.named(6)});
  policy.on_erase(6);
  policy.fall_out_of_step();
  policy.step_in();
  expect(0, 0);
  policy.prepare(std::array{policy.named(5)});
  expect(1, 10);
}

TEST(Prepared, WithoutAdviceEvictsWhatWasNotUsedForATurn) {
  Prepared policy;
  fill(policy, 4);
  policy.on_hit(0);
  policy.on_hit(1);
  EXPECT_EQ(policy.evict(), 2U);
  EXPECT_EQ(policy.evict(), 3U);
  EXPECT_EQ(policy.evict(), 0U);
  EXPECT_EQ(policy.counts().unprepared, 3U);
}

class Bell final : public Prepared::Alarm {
 public:
  void on_half_full() noexcept override { ++rings; }
  int rings = 0;
};

TEST(Prepared, DropsHitsThatWouldFillTheOtherHalf) {
  Prepared policy(64);
  Bell bell;
  policy.set_alarm(&bell);
  policy.on_insert(0, {.key_hash = 1, .bytes = 1});
  for (int i = 0; i < 100; ++i) policy.on_hit(0);
  EXPECT_EQ(policy.notes().size(), 32U);
  EXPECT_EQ(policy.counts().dropped, 69U);
  EXPECT_EQ(bell.rings, 1);
  EXPECT_FALSE(policy.is_out_of_step());
  (void)notes_of(policy);
  policy.rearm();
  for (int i = 0; i < 100; ++i) policy.on_hit(0);
  EXPECT_EQ(bell.rings, 2);
}

TEST(Prepared, IsOutOfStepOnceMoreHappensThanFits) {
  Prepared policy(64);
  fill(policy, 64);
  policy.prepare(std::array{policy.named(3)});
  EXPECT_FALSE(policy.is_out_of_step());
  policy.on_erase(9);
  EXPECT_TRUE(policy.is_out_of_step());
  policy.prepare(std::array{policy.named(4)});
  EXPECT_EQ(policy.prepared(), 1U) << "who chose 4 did not know of what happened";
  (void)notes_of(policy);
  policy.step_in();
  EXPECT_FALSE(policy.is_out_of_step());
  EXPECT_EQ(policy.prepared(), 0U);
  policy.on_hit(1);
  EXPECT_EQ(notes_of(policy).size(), 1U);
}

}  // namespace
}  // namespace vcache::l1::policy
