#include "predictor/hour.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/random.hpp"
#include "predictor/logistic.hpp"
#include "predictor/outlook.hpp"

namespace vcache::predictor {

namespace {

constexpr std::chrono::seconds kSlice{1};
constexpr double kLeastPassed = 0.004;  // seconds: what the clock can tell
constexpr std::chrono::duration<double> kMemory = std::chrono::minutes(10);
constexpr double kKept = 1 - 1.0 / 1'024;  // of what was known of earlier predictions
constexpr std::size_t kLargest = 32'768;
constexpr double kStep = 0.05;
constexpr double kLeast = 1e-3;  // of a model's probability, and of its complement
constexpr float kScale = 0.25F;

}  // namespace

void AccessRate::note(base::Nanos now, AccessTime accesses) noexcept {
  if (has_begun_ && now - since_ < kSlice) return;
  if (has_begun_) {
    const std::chrono::duration<double> passed = now - since_;
    const double share = rate_ == 0 ? 1 : 1 - std::exp(-passed / kMemory);
    rate_ += (newest(now, accesses) - rate_) * share;
  }
  has_begun_ = true;
  since_ = now;
  counted_ = accesses;
}

double AccessRate::newest(base::Nanos now, AccessTime accesses) const noexcept {
  const std::chrono::duration<double> passed = now - since_;
  return static_cast<double>(accesses - counted_) / std::max(passed.count(), kLeastPassed);
}

double AccessRate::per_second(base::Nanos now, AccessTime accesses) const noexcept {
  return rate_ == 0 ? newest(now, accesses) : rate_;
}

Outlook outlook_of(const KeyPast& past, std::span<const float, kHeads> heads,
                   double residences) noexcept {
  const double p = probability_within(heads, residences);
  return {.accesses = log2_of(std::max<std::uint32_t>(past.accesses, 1)),
          .log_odds = static_cast<float>(log_odds(p, kLeast))};
}

void Reliability::add(double probability, bool is_read) noexcept {
  for (Bin& bin : bins) {
    bin = {
        .weight = bin.weight * kKept, .predicted = bin.predicted * kKept, .read = bin.read * kKept};
  }
  const auto at = static_cast<std::size_t>(probability * static_cast<double>(kBins));
  Bin& bin = bins[std::min(at, kBins - 1)];
  const double outcome = is_read ? 1 : 0;
  bin.weight += 1;
  bin.predicted += probability;
  bin.read += outcome;
  squares = squares * kKept + (probability - outcome) * (probability - outcome);
  ++outcomes;
}

void Reliability::add(const Reliability& other) noexcept {
  for (std::size_t i = 0; i < kBins; ++i) {
    bins[i].weight += other.bins[i].weight;
    bins[i].predicted += other.bins[i].predicted;
    bins[i].read += other.bins[i].read;
  }
  squares += other.squares;
  outcomes += other.outcomes;
}

double Reliability::weight() const noexcept {
  double sum = 0;
  for (const Bin& bin : bins) sum += bin.weight;
  return sum;
}

double Reliability::calibration_error() const noexcept {
  double sum = 0;
  for (const Bin& bin : bins) sum += std::abs(bin.predicted - bin.read);
  return sum / weight();
}

double Reliability::brier() const noexcept { return squares / weight(); }

std::array<double, Hour::kInputs> Hour::inputs(const Outlook& outlook) noexcept {
  return {1, static_cast<double>(outlook.accesses * kScale),
          static_cast<double>(outlook.log_odds * kScale)};
}

double Hour::probability(const Outlook& outlook) const noexcept {
  const auto x = inputs(outlook);
  double sum = 0;
  for (std::size_t i = 0; i < kInputs; ++i) sum += weights_[i] * x[i];
  return logistic(sum);
}

void Hour::learn(const Outlook& outlook, bool is_read) noexcept {
  const auto x = inputs(outlook);
  const double excess = probability(outlook) - (is_read ? 1 : 0);
  for (std::size_t i = 0; i < kInputs; ++i) {
    const double slope = excess * x[i];
    slopes_[i] += slope * slope;
    weights_[i] -= kStep * slope / std::sqrt(slopes_[i]);
  }
}

void Hour::reach(std::size_t samples) {
  const std::size_t size = std::bit_ceil(std::clamp(samples, kFewest, kLargest));
  if (size <= ring_.size()) return;
  std::vector<Sample> ring(size);
  std::vector<Place> heads(size, kNone);
  std::uint64_t count = 0;
  for (std::uint64_t number = first_; number < next_; ++number) {
    ring[count++] = ring_[place(number)];
  }
  ring_ = std::move(ring);
  heads_ = std::move(heads);
  first_ = 0;
  next_ = count;
  for (std::uint64_t number = 0; number < count; ++number) link(static_cast<Place>(number));
}

bool Hour::wants(double accesses_a_second) noexcept {
  if (next_ - first_ >= ring_.size()) return false;
  const std::chrono::duration<double> seconds = span_;
  const double accesses = accesses_a_second * seconds.count();
  return base::random_unit(random_) * accesses < static_cast<double>(ring_.size());
}

Hour::Asked Hour::choose(const Asked& just_read) noexcept {
  if (first_ == next_ || base::random_unit(random_) < 0.5) return just_read;
  const std::uint64_t number = first_ + base::random_below(random_, next_ - first_);
  const Asked& earlier = ring_[place(number)].asked;
  if (earlier.is_again) return just_read;
  return {.key_hash = earlier.key_hash, .entry = earlier.entry, .is_again = true};
}

void Hour::sample(const Asked& asked, const Outlook& outlook, base::Nanos now) {
  latest_ = std::max(latest_, now);
  const auto at = static_cast<Place>(place(next_++));
  ring_[at] = {.asked = asked,
               .taken = latest_,
               .outlook = outlook,
               .probability = static_cast<float>(probability(outlook))};
  link(at);
}

void Hour::link(Place at) noexcept {
  Place& head = bucket(ring_[at].asked.key_hash);
  ring_[at].after = head;
  head = at;
}

void Hour::unlink(Place at) noexcept {
  Place* before = &bucket(ring_[at].asked.key_hash);
  while (*before != at) before = &ring_[*before].after;
  *before = ring_[at].after;
}

void Hour::on_access(std::uint64_t key_hash) noexcept {
  if (first_ == next_) return;
  for (Place at = bucket(key_hash); at != kNone; at = ring_[at].after) {
    if (ring_[at].asked.key_hash == key_hash) ring_[at].is_read = true;
  }
}

Hour::Outcome Hour::settle_one() noexcept {
  const auto at = static_cast<Place>(place(first_));
  unlink(at);
  ++first_;
  const Sample& sample = ring_[at];
  const Outcome outcome{.probability = static_cast<double>(sample.probability),
                        .is_read = sample.is_read};
  reliability_.add(outcome.probability, outcome.is_read);
  learn(sample.outlook, outcome.is_read);
  return outcome;
}

}  // namespace vcache::predictor
