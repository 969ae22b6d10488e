#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/page_allocator.hpp"
#include "l1/policy/history.hpp"
#include "l1/policy/scored.hpp"
#include "predictor/example.hpp"

namespace vcache::l1::policy {

// Takes entries at random as they are judged, and tells of each, once a horizon is over, whether
// its key was asked for within it. Of every horizon both answers come at the same lag, so that
// what is learned at any time favours neither. Entries are drawn from those held: those that a
// decision is about. Keys of samples that wait are not forgotten, so that a cache that is learned
// from knows some ghosts longer.
class LabelSampler {
 public:
  // Samples that may wait for their horizons; further ones are not taken.
  static constexpr std::size_t kMostPending = std::size_t{1} << 17;

  // Requires: the history outlives it.
  LabelSampler(History& history, std::uint64_t seed) noexcept : history_(&history), random_(seed) {}
  ~LabelSampler();
  LabelSampler(LabelSampler&& other) noexcept;
  LabelSampler& operator=(LabelSampler&&) = delete;

  // To be called at each access, after the history was told of it. take(Example) is called for
  // each horizon that is over. Throws std::bad_alloc.
  template <class Take>
  void on_access(Scored& entries, Take&& take) {
    for (std::size_t head = 0; head < kHeads; ++head) {
      while (is_due(head)) take(next(head));
    }
    sample(entries);
  }

  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  static constexpr std::size_t kHeads = predictor::kHorizons.size();

  struct Sample {
    predictor::Snapshot snapshot;
    History::Slot slot = History::kNoSlot;
    float residence = 0;
    float weight = 1;
  };

  void sample(Scored& entries);
  [[nodiscard]] bool is_due(std::size_t head) const noexcept;
  [[nodiscard]] predictor::Example next(std::size_t head) noexcept;
  [[nodiscard]] Sample& at(std::uint64_t place) noexcept {
    return ring_[place & (ring_.size() - 1)];
  }
  [[nodiscard]] const Sample& at(std::uint64_t place) const noexcept {
    return ring_[place & (ring_.size() - 1)];
  }
  void grow();

  History* history_;
  std::uint64_t random_;
  base::Table<Sample> ring_;  // a power of two
  std::uint64_t next_ = 0;
  std::array<std::uint64_t, kHeads> resolved_{};  // up to where, by head; the last is the slowest
};

}  // namespace vcache::l1::policy
