#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/page_allocator.hpp"
#include "l1/policy/history.hpp"
#include "l1/policy/policy.hpp"
#include "predictor/predictor.hpp"

namespace vcache::l1::policy {

// What a model's probabilities are worth.
enum class Objective : std::uint8_t {
  kMisses,  // the fewest misses
  kCost,    // the least cost of misses, for the bytes
};

// Evicts what a model holds least likely to be asked for: of random entries, scored together, and
// those that were nearly evicted before, the lowest few leave one after another.
// Candidates by sampling: LRB (Song et al., NSDI 2020); several evictions a scoring: 3L-Cache
// (Zhou et al., FAST 2025).
// 20 bytes an entry; the past of its keys is in the history.
class Scored {
 public:
  static constexpr std::string_view kName = "learned";
  using Model = std::shared_ptr<const predictor::Predictor>;

  // Requires: the history outlives it, and is told of each access before this is.
  Scored(History& history, Model model, Objective objective, std::uint64_t seed);
  ~Scored();
  Scored(Scored&& other) noexcept;
  Scored& operator=(Scored&&) = delete;

  void on_insert(EntryId id, const Candidate& candidate);
  void on_update(EntryId id, const Candidate& candidate) noexcept;
  void on_hit(EntryId id) noexcept;
  void on_erase(EntryId id) noexcept;
  [[nodiscard]] EntryId evict();

  // The entry that evict() would take; it stays, and is chosen once until it is hit or updated.
  // kNoEntry where none was found that is not chosen.
  [[nodiscard]] EntryId choose();
  // For an owner that chooses by itself.
  void set_chosen(EntryId id) noexcept { entries_[id].state = State::kChosen; }
  void set_held(EntryId id) noexcept { entries_[id].state = State::kHeld; }
  [[nodiscard]] bool is_chosen(EntryId id) const noexcept {
    return entries_[id].state == State::kChosen;
  }
  [[nodiscard]] bool holds(EntryId id) const noexcept {
    return id < entries_.size() && entries_[id].state != State::kFree;
  }

  void set_model(Model model) noexcept { model_ = std::move(model); }
  // It sees one access in so many of those that the history is told of.
  void set_sampling(double one_in) noexcept { one_in_ = one_in; }
  // The mean time an entry stays, in accesses; as if it had been that since the start.
  void set_residence(double accesses) noexcept;
  // An entry at random, by the caller's stream. Requires: size() > 0.
  [[nodiscard]] EntryId any(std::uint64_t& random) const noexcept;
  [[nodiscard]] predictor::Snapshot snapshot(EntryId id) const noexcept;
  [[nodiscard]] History::Slot slot(EntryId id) const noexcept { return entries_[id].slot; }
  // As it was given.
  [[nodiscard]] Candidate candidate(EntryId id) const noexcept;
  // All ids, the entry accessed longest ago first.
  [[nodiscard]] std::vector<EntryId> by_age() const;
  // Every id that was ever held is below that.
  [[nodiscard]] std::size_t ids() const noexcept { return entries_.size(); }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;
  // Scorings that failed: the entry accessed longest ago left instead.
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }
  [[nodiscard]] double mean_residence() const noexcept;

 private:
  enum class State : std::uint8_t { kFree, kHeld, kSpared, kDoomed, kChosen };
  struct Entry {
    History::Slot slot = History::kNoSlot;
    std::uint32_t bytes = 0;
    float cost = 0;
    predictor::AccessTime since = 0;
    std::uint16_t hits = 0;
    State state = State::kFree;
    Origin origin = {};
  };
  static_assert(sizeof(Entry) == 20);
  static constexpr std::size_t kLargestBatch = 32;  // entries that one scoring has leave
  static constexpr std::size_t kSampledEach = 6;    // for each of them
  static constexpr std::size_t kFewestSampled = 64;
  static constexpr std::size_t kMostSpared = 128;  // kept for the next scoring
  static constexpr std::size_t kMostRanks = kSampledEach * kLargestBatch + kMostSpared;
  // To order entries by: the worth, then the id.
  using Ranks = std::array<std::uint64_t, kMostRanks>;
  // What snapshots at one time have in common, and what the last of them had of its own.
  struct Means {
    float log2_residence = 0;
    double bytes = 0;
    std::uint32_t last_bytes = 0;
    float log2_size = 0;
  };

  void note(bool hit, std::uint8_t group) noexcept;
  [[nodiscard]] float group_reuse(std::uint8_t group) const noexcept;
  void doom_some();
  void note_cost(float cost) noexcept;
  void draw();
  void take(EntryId id);
  [[nodiscard]] bool score(Ranks& ranks);
  [[nodiscard]] Means means() const noexcept;
  [[nodiscard]] predictor::Snapshot snapshot(EntryId id, Means& known) const noexcept;
  [[nodiscard]] float worth(const float* heads, const Entry& entry) const noexcept;
  [[nodiscard]] std::size_t batch() const noexcept;

  History* history_;
  Model model_;
  Objective objective_;
  std::uint64_t random_;
  base::Table<Entry> entries_;
  std::size_t size_ = 0;
  std::uint64_t bytes_ = 0;
  double miss_ratio_ = 1;
  std::array<float, kGroups> group_miss_ratios_;  // of accesses of late
  double one_in_ = 1;
  double mean_cost_ = 0;  // of newcomers of late whose cost is known; 0: of none
  std::uint64_t failures_ = 0;
  std::uint32_t scorings_ = 0;

  // Of one scoring. Their memory is kept.
  std::vector<EntryId> drawn_;
  std::vector<EntryId> doomed_;        // the next victim last
  std::vector<std::uint64_t> spared_;  // ranks
};

static_assert(EvictionPolicy<Scored>);

}  // namespace vcache::l1::policy
