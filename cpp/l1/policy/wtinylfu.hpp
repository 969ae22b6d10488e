#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/page_allocator.hpp"
#include "l1/policy/frequency_sketch.hpp"
#include "l1/policy/hill_climber.hpp"
#include "l1/policy/id_list.hpp"
#include "l1/policy/policy.hpp"
#include "l1/policy/standing.hpp"

namespace vcache::l1::policy {

// W-TinyLFU: newcomers live in an LRU window. Who falls out of it is the candidate and stays only
// if it was asked for more often than the main space's victim. The main space is a segmented LRU:
// on probation until used again, then protected. Of the bytes, the window begins with 1 % and a
// fifth of the rest is for probation; a hill climber moves the border between window and protected
// entries to where most requests hit. 17 bytes an entry and 8 to 16 of sketch.
// Einziger, Friedman, Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions
// on Storage, 2017; for the border see HillClimber. Differs from the paper: no doorkeeper; against
// keys crafted to collide in the sketch, one candidate in 128 that is at all frequent wins against
// a more frequent victim, as in Caffeine; shares are of what is held, not of a fixed capacity; the
// window keeps its newest entry, so a newcomer larger than the window is not judged at once; after
// the border has moved, entries follow as room is made.
class WTinyLfu {
 public:
  static constexpr std::string_view kName = "wtinylfu";

  explicit WTinyLfu(std::uint64_t seed) noexcept : random_(seed) {}

  void on_insert(EntryId id, const Candidate& candidate);
  void on_update(EntryId id, const Candidate& candidate) noexcept;
  void on_hit(EntryId id) noexcept;
  void on_erase(EntryId id) noexcept { queue_of(id).remove(nodes_, id); }
  [[nodiscard]] EntryId evict() noexcept;
  [[nodiscard]] Standing standing(EntryId id) const noexcept;
  void on_restore(EntryId id, const Candidate& candidate, const Standing& standing);
  // Takes over what was counted elsewhere, fingerprints of keys as fingerprint() has them.
  void recall(const FrequencySketch& sketch) { sketch_ = sketch; }

  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept;
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  enum class Place : std::uint8_t { kWindow, kProbation, kProtected };

  static constexpr double kFirstWindow = 0.01;
  static constexpr double kWindowAndProtected = 0.01 + 0.8 * 0.99;  // the rest is for probation

  struct Entry : Node {
    std::uint32_t fingerprint = 0;
  };

  [[nodiscard]] Queue& queue(Place place) noexcept {
    return queues_[static_cast<std::size_t>(place)];
  }
  [[nodiscard]] const Queue& queue(Place place) const noexcept {
    return queues_[static_cast<std::size_t>(place)];
  }
  [[nodiscard]] Queue& queue_of(EntryId id) noexcept { return queue(places_[id]); }
  void use(EntryId id) noexcept;
  void count(bool hit) noexcept;
  void move(EntryId id, Place place) noexcept;
  void shrink_protected() noexcept;
  [[nodiscard]] std::uint64_t share_of(double share) const noexcept;
  [[nodiscard]] EntryId next_candidate() noexcept;
  [[nodiscard]] EntryId main_victim() const noexcept;
  [[nodiscard]] bool admits(EntryId candidate, EntryId victim) noexcept;

  base::Table<Entry> nodes_;
  base::Table<Place> places_;
  std::array<Queue, 3> queues_;  // by Place; most recent first
  FrequencySketch sketch_;
  HillClimber window_{kFirstWindow, kWindowAndProtected};  // share of the bytes
  bool full_ = false;                                      // an entry had to leave
  // Several may leave before the newcomers come that they make room for.
  bool has_come_ = false;    // an entry, since the last one left
  std::size_t left_ = 0;     // of those that left last in a row, those whose place is free
  std::size_t arrived_ = 0;  // in such places, and not judged yet
  std::uint64_t random_;
};

static_assert(EvictionPolicy<WTinyLfu>);

}  // namespace vcache::l1::policy
