#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.hpp"
#include "predictor/features.hpp"

namespace vcache::predictor {

// Accesses a second, older ones counting less by the minute.
class AccessRate {
 public:
  void note(base::Nanos now, AccessTime accesses) noexcept;
  [[nodiscard]] double per_second(base::Nanos now, AccessTime accesses) const noexcept;

 private:
  [[nodiscard]] double newest(base::Nanos now, AccessTime accesses) const noexcept;

  double rate_ = 0;
  base::Nanos since_{0};
  AccessTime counted_ = 0;
  bool has_begun_ = false;
};

// What P(read within the hour) is told by.
struct Outlook {
  float accesses = 0;  // binary logarithm
  float log_odds = 0;  // of a model's probabilities, between its horizons
};

// `residences`: the hour, in mean residences.
[[nodiscard]] Outlook outlook_of(const KeyPast& past, std::span<const float, kHeads> heads,
                                 double residences) noexcept;

// How right the newest predictions were whose outcome is known, older ones counting less.
struct Reliability {
  static constexpr std::size_t kBins = 10;
  struct Bin {
    double weight = 0;
    double predicted = 0;
    double read = 0;
  };

  std::array<Bin, kBins> bins = {};
  double squares = 0;
  std::uint64_t outcomes = 0;  // all of them

  void add(double probability, bool is_read) noexcept;
  void add(const Reliability& other) noexcept;
  [[nodiscard]] double weight() const noexcept;
  // Mean |predicted - read| of the bins, by their weights. Requires: weight() > 0, as brier().
  [[nodiscard]] double calibration_error() const noexcept;
  [[nodiscard]] double brier() const noexcept;
};

// P(a key is read within the hour), calibrated by what became of samples of keys an hour later:
// logistic regression on an Outlook, fitted online (Platt, "Probabilistic Outputs for Support
// Vector Machines", 1999; steps as in Duchi et al., "Adaptive Subgradient Methods", JMLR 2011).
// An outcome counts when the hour is over, also of a key that was read sooner: else keys that are
// read would be learned of first. Time that runs backwards stands still. Not thread-safe.
class Hour {
 public:
  static constexpr base::Nanos kHour = std::chrono::hours(1);
  static constexpr std::size_t kFewest = 64;   // samples that may wait
  static constexpr std::size_t kMost = 1'024;  // in a live cache

  struct Outcome {
    double probability = 0;
    bool is_read = false;
  };

  explicit Hour(std::uint64_t seed, base::Nanos span = kHour) noexcept
      : span_(span), random_(seed) {}

  [[nodiscard]] double probability(const Outlook& outlook) const noexcept;
  [[nodiscard]] base::Nanos span() const noexcept { return span_; }

  // Has that many samples wait, at most, unless it is fewer than before. Throws std::bad_alloc.
  void reach(std::size_t samples);
  // Whether to take a sample at this access, for as many samples in the span as may wait.
  [[nodiscard]] bool wants(double accesses_a_second) noexcept;
  struct Asked {
    std::uint64_t key_hash = 0;
    std::uint32_t entry = 0;  // its number, of whoever took the sample
    bool is_again = false;    // the key was sampled before
  };
  // Which key a sample is to be of: the one just read, or every other time one sampled earlier.
  [[nodiscard]] Asked choose(const Asked& just_read) noexcept;
  // Requires: wants() was true since the last sample.
  void sample(const Asked& asked, const Outlook& outlook, base::Nanos now);
  // The key was read.
  void on_access(std::uint64_t key_hash) noexcept;
  // Learns of the samples whose hour is over; told(Outcome) of each.
  template <class Told>
  void settle(base::Nanos now, Told told) {
    latest_ = now > latest_ ? now : latest_;
    while (first_ < next_ && ring_[place(first_)].taken + span_ <= latest_) told(settle_one());
  }

  [[nodiscard]] const Reliability& reliability() const noexcept { return reliability_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return ring_.capacity() * sizeof(Sample) + heads_.capacity() * sizeof(Place);
  }

 private:
  using Place = std::uint16_t;
  static constexpr Place kNone = 0xFFFF;
  static constexpr std::size_t kInputs = 3;

  struct Sample {
    Asked asked = {};
    base::Nanos taken{0};
    Outlook outlook;
    float probability = 0;
    Place after = kNone;  // the next of its bucket
    bool is_read = false;
  };
  static_assert(sizeof(Sample) == 40);

  [[nodiscard]] static std::array<double, kInputs> inputs(const Outlook& outlook) noexcept;
  [[nodiscard]] std::size_t place(std::uint64_t number) const noexcept {
    return number & (ring_.size() - 1);
  }
  [[nodiscard]] Place& bucket(std::uint64_t key_hash) noexcept {
    return heads_[(key_hash >> 8) & (heads_.size() - 1)];
  }
  void link(Place at) noexcept;
  void unlink(Place at) noexcept;
  Outcome settle_one() noexcept;
  void learn(const Outlook& outlook, bool is_read) noexcept;

  base::Nanos span_;
  base::Nanos latest_{0};
  std::uint64_t random_;
  std::vector<Sample> ring_;  // a power of two
  std::vector<Place> heads_;  // the first sample of each bucket, as many
  std::uint64_t first_ = 0;   // numbers of the samples that wait
  std::uint64_t next_ = 0;
  // Fitted to the traces that carry times of python/vcache/ml/README.md: by either alone the three
  // are within a fifth of these.
  std::array<double, kInputs> weights_ = {-1.09, 2.09, 0.40};
  std::array<double, kInputs> slopes_ = {1, 1, 1};  // sums of the squares of the gradients
  Reliability reliability_;
};

}  // namespace vcache::predictor
