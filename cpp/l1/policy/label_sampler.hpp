#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/page_allocator.hpp"
#include "l1/policy/history.hpp"
#include "l1/policy/scored.hpp"
#include "predictor/example.hpp"

namespace vcache::l1::policy {

// Takes entries at random as they are judged, and tells of each, once a horizon is over, whether
// its key was asked for within it. Of every horizon both answers come at the same lag, so that
// what is learned at any time favours neither. Entries are drawn from those held: those that a
// decision is about. Keys of samples that wait are not forgotten.
// The longer a horizon, the fewer samples wait for it: each stage of waiting has equal room, in
// proportion to the entries, and takes as many as pass through it meanwhile. At most 24 bytes an
// entry of caches of 256 and more, and 4.5 KiB in smaller ones.
class LabelSampler {
 public:
  // Requires: the history outlives it.
  LabelSampler(History& history, std::uint64_t seed) noexcept : history_(&history), random_(seed) {}
  ~LabelSampler();
  LabelSampler(LabelSampler&& other) noexcept = default;
  LabelSampler& operator=(LabelSampler&&) = delete;

  // To be called at each access, after the history was told of it. take(Example) is called for
  // each horizon that is over. Throws std::bad_alloc.
  template <class Take>
  void on_access(Scored& entries, Take&& take) {
    for (std::size_t head = kHeads; head-- > 0;) {
      while (is_due(head)) {
        take(example(head));
        advance(head);
        look(head);
        if (head + 1 < kHeads && !waits_[head + 1].is_any) look(head + 1);
      }
    }
    sample(entries);
  }

  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  static constexpr std::size_t kHeads = predictor::kHorizons.size();
  // Samples wait for the first two horizons, then some of them for the third, and of these for the
  // last.
  static constexpr std::array<std::size_t, kHeads> kStageOf = {0, 0, 1, 2};
  static constexpr std::size_t kStages = 3;

  // What a snapshot needs beside what the history knows as long as it holds the key.
  struct Sample {
    History::Slot slot = History::kNoSlot;
    predictor::AccessTime last = 0;
    predictor::AccessTime now = 0;
    predictor::Residence residence = {};
    std::array<predictor::LogGap, 4> gaps = {};
    float log2_residence = 0;
    float weight = 1;
    float group_reuse = 0;
    float log2_size = 0;
    float log2_cost = 0;
    std::uint16_t accesses = 0;
    std::uint8_t estimate = 0;
    bool is_from_redis = false;
  };
  static_assert(sizeof(Sample) == 48);

  // Samples in the order in which they were taken.
  struct Stage {
    base::Table<Sample> ring;  // a power of two
    std::uint64_t next = 0;
    std::uint64_t first = 0;

    [[nodiscard]] std::size_t size() const noexcept { return next - first; }
    [[nodiscard]] Sample& at(std::uint64_t place) noexcept {
      return ring[place & (ring.size() - 1)];
    }
    [[nodiscard]] const Sample& at(std::uint64_t place) const noexcept {
      return ring[place & (ring.size() - 1)];
    }
  };

  // What of those that wait for a horizon the first one waits for.
  struct Wait {
    predictor::AccessTime since = 0;
    float length = 0;  // accesses
    bool is_any = false;
  };

  void sample(Scored& entries);
  void reach(std::size_t entries);
  // Finds the sample that is due first for that horizon.
  void look(std::size_t head) noexcept;
  [[nodiscard]] bool is_due(std::size_t head) const noexcept {
    const Wait& wait = waits_[head];
    return wait.is_any && static_cast<float>(history_->now() - wait.since) >= wait.length;
  }
  [[nodiscard]] predictor::Example example(std::size_t head) const noexcept;
  // Moves a sample on to where it waits for the next horizon, or drops it.
  void advance(std::size_t head) noexcept;
  [[nodiscard]] bool passes(std::size_t stage) noexcept;

  History* history_;
  std::uint64_t random_;
  std::uint64_t taken_ = 0;
  std::array<Stage, kStages> stages_;
  std::array<Wait, kHeads> waits_ = {};
  std::uint64_t second_ = 0;  // in the first stage: the first one that waits for the first horizon
};

}  // namespace vcache::l1::policy
