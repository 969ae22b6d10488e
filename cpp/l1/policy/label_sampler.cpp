#include "l1/policy/label_sampler.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/random.hpp"

namespace vcache::l1::policy {

namespace {

// Many accesses take a sample at first, so that there is something to learn from soon; later fewer
// do, so that what is remembered of them spans a longer time.
constexpr std::uint64_t kAtFirst = 65'536;
constexpr double kLater = 0.15;
constexpr std::size_t kFewest = 64;  // entries held
// Samples that may wait in a stage.
constexpr std::size_t kEntriesEach = 8;  // of the cache, for one sample
constexpr std::size_t kSmallestRing = 32;
constexpr std::size_t kLargestRing = 16'384;
// Mean residences that a sample waits in each stage.
constexpr std::array<double, 3> kWaits = {0.5, 1.5, 6};

}  // namespace

LabelSampler::~LabelSampler() {
  for (const Stage& stage : stages_) {
    for (std::uint64_t place = stage.first; place < stage.next && !stage.ring.empty(); ++place) {
      history_->let_go(stage.at(place).slot);
    }
  }
}

void LabelSampler::sample(Scored& entries) {
  if (entries.size() < kFewest) return;
  const double most = taken_ < kAtFirst ? 1 : kLater;
  const double drawn = base::random_unit(random_);
  if (drawn >= most) return;
  Stage& stage = stages_[0];
  reach(entries.size());
  const double fits =
      static_cast<double>(stage.ring.size()) / (kWaits[0] * entries.mean_residence());
  const double chance = std::min(fits, most);
  if (drawn >= chance || stage.size() == stage.ring.size()) return;
  const EntryId id = entries.any(random_);
  if (!history_->hold(entries.slot(id))) return;
  const predictor::Snapshot known = entries.snapshot(id);
  stage.at(stage.next++) = {.slot = entries.slot(id),
                            .last = known.past.last,
                            .now = known.now,
                            .residence = known.residence,
                            .gaps = known.past.gaps,
                            .log2_residence = known.log2_residence,
                            .weight = static_cast<float>(kLater / chance),
                            .group_reuse = known.group_reuse,
                            .log2_size = known.log2_size,
                            .log2_cost = known.log2_cost,
                            .accesses = known.past.accesses,
                            .estimate = known.estimate,
                            .is_from_redis = known.is_from_redis};
  ++taken_;
  if (!waits_[0].is_any) look(0);
}

// Makes the rings as large as befits a cache of so many entries. They never shrink.
void LabelSampler::reach(std::size_t entries) {
  const std::size_t size =
      std::clamp(std::bit_floor(entries / kEntriesEach), kSmallestRing, kLargestRing);
  for (Stage& stage : stages_) {
    if (stage.ring.size() >= size) continue;
    base::Table<Sample> bigger(size);
    for (std::uint64_t place = stage.first; place < stage.next; ++place) {
      bigger[place & (size - 1)] = stage.at(place);
    }
    stage.ring = std::move(bigger);
  }
}

void LabelSampler::look(std::size_t head) noexcept {
  const Stage& stage = stages_[kStageOf[head]];
  const std::uint64_t place = head == 0 ? second_ : stage.first;
  Wait& wait = waits_[head];
  wait.is_any = place != (head == 1 ? second_ : stage.next);
  if (!wait.is_any) return;
  const Sample& sample = stage.at(place);
  wait.since = sample.now;
  wait.length = predictor::kHorizons[head] * std::exp2(sample.log2_residence);
}

predictor::Example LabelSampler::example(std::size_t head) const noexcept {
  const Stage& stage = stages_[kStageOf[head]];
  const Sample& sample = stage.at(head == 0 ? second_ : stage.first);
  const predictor::KeyPast past = history_->past(sample.slot);
  return {.snapshot = {.past = {.first = past.first,
                                .last = sample.last,
                                .gaps = sample.gaps,
                                .accesses = sample.accesses},
                       .residence = sample.residence,
                       .now = sample.now,
                       .log2_residence = sample.log2_residence,
                       .group_reuse = sample.group_reuse,
                       .log2_size = sample.log2_size,
                       .log2_cost = sample.log2_cost,
                       .estimate = sample.estimate,
                       .is_from_redis = sample.is_from_redis},
          .weight = sample.weight,
          .head = static_cast<std::uint8_t>(head),
          .is_accessed = past.last != sample.last};
}

void LabelSampler::advance(std::size_t head) noexcept {
  if (head == 0) {
    ++second_;
    return;
  }
  const std::size_t from = kStageOf[head];
  const Sample& sample = stages_[from].at(stages_[from].first++);
  if (from + 1 == kStages || !passes(from + 1)) return history_->let_go(sample.slot);
  Stage& to = stages_[from + 1];
  to.at(to.next++) = sample;
}

// As many as have room while they wait, spread over that time.
bool LabelSampler::passes(std::size_t stage) noexcept {
  if (stages_[stage].size() == stages_[stage].ring.size()) return false;
  return base::random_unit(random_) * kWaits[stage] < kWaits[stage - 1];
}

std::size_t LabelSampler::memory_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const Stage& stage : stages_) bytes += stage.ring.size() * sizeof(Sample);
  return bytes;
}

}  // namespace vcache::l1::policy
