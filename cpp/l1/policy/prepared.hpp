#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/page_allocator.hpp"
#include "l1/policy/notes.hpp"
#include "l1/policy/policy.hpp"

namespace vcache::l1::policy {

// Evicts what was chosen elsewhere beforehand, by whoever reads the notes of what happens here.
// Where nothing was chosen in time, the entry that was not used for one turn of a hand leaves
// (CLOCK: Corbató, "A Paging Experiment with the Multics System", 1968).
// Of a hit no more is done than to note it. 8 bytes an entry, and the queue.
class Prepared {
 public:
  static constexpr std::string_view kName = "learned";
  static constexpr std::size_t kMostNotes = 1024;

  // Told, once for each time that the queue is emptied, that it is half full.
  class Alarm {
   public:
    virtual void on_half_full() noexcept = 0;

   protected:
    ~Alarm() = default;
  };

  // What was done without advice.
  struct Counts {
    std::uint64_t prepared = 0;    // evictions of what was chosen
    std::uint64_t unprepared = 0;  // others
    std::uint64_t dropped = 0;     // hits that nobody was told of, for want of room
  };

  // With room for that many notes. Requires: a power of two.
  explicit Prepared(std::size_t notes = kMostNotes);

  void on_insert(EntryId id, const Candidate& candidate);
  void on_update(EntryId id, const Candidate& candidate) noexcept;
  void on_hit(EntryId id) noexcept {
    Slot& slot = slots_[id];
    slot.is_used = 1;
    tell_of_hit({.id = id, .generation = slot.generation});
  }
  void on_erase(EntryId id) noexcept;
  [[nodiscard]] EntryId evict() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

  // Outlives all moves. Its consumer is whoever calls prepare().
  [[nodiscard]] NoteQueue& notes() const noexcept { return *notes_; }
  void set_alarm(Alarm* alarm) noexcept { alarm_ = alarm; }
  // The alarm is told again.
  void rearm() noexcept { is_alarmed_ = false; }

  // Entries to evict next, the first of them first, after those that were prepared before. Some may
  // be gone: these are ignored, and so is one that is hit before its turn.
  // Throws std::bad_alloc, having taken some.
  void prepare(std::span<const Named> chosen);
  // Of what is prepared: some may have been hit since.
  [[nodiscard]] std::size_t prepared() const noexcept { return prepared_; }
  [[nodiscard]] std::uint64_t prepared_bytes() const noexcept { return prepared_bytes_; }

  // True once notes other than of hits found no room: what their reader knows is not what is here.
  // No notes are taken from then on until it starts again from what it is told of each entry, with
  // nothing prepared.
  [[nodiscard]] bool is_out_of_step() const noexcept { return is_out_of_step_; }
  void step_in() noexcept;
  // As if that had happened.
  void fall_out_of_step() noexcept { is_out_of_step_ = true; }
  // Requires: id is held.
  [[nodiscard]] Named named(EntryId id) const noexcept {
    return {.id = id, .generation = slots_[id].generation};
  }

  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

 private:
  struct Slot {
    std::uint32_t bytes = 0;
    Generation generation = 0;
    std::uint8_t is_held : 1 = 0;
    std::uint8_t is_chosen : 1 = 0;
    std::uint8_t is_used = 0;  // since the hand passed, or since it was chosen
  };
  static_assert(sizeof(Slot) == 8);

  void tell_of_hit(const Note& note) noexcept;
  void tell(const Note& note) noexcept;
  [[nodiscard]] EntryId take_prepared() noexcept;
  [[nodiscard]] EntryId take_unused() noexcept;
  void unchoose(Slot& slot) noexcept;
  void forget(EntryId id) noexcept;

  std::unique_ptr<NoteQueue> notes_;
  Alarm* alarm_ = nullptr;
  base::Table<Slot> slots_;
  std::size_t size_ = 0;
  std::uint64_t bytes_ = 0;
  EntryId hand_ = 0;
  std::vector<Named> chosen_;
  std::size_t next_ = 0;      // of chosen_
  std::size_t prepared_ = 0;  // of them that are still there
  std::uint64_t prepared_bytes_ = 0;
  bool is_alarmed_ = false;
  bool is_out_of_step_ = false;
  Counts counts_;
};

static_assert(EvictionPolicy<Prepared>);

}  // namespace vcache::l1::policy
