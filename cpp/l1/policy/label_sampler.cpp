#include "l1/policy/label_sampler.hpp"

#include <algorithm>
#include <utility>

#include "base/random.hpp"

namespace vcache::l1::policy {

namespace {

// All accesses take a sample at first, so that there is something to learn from soon; later fewer
// do, so that what is remembered of them spans a longer time.
constexpr std::uint64_t kAtFirst = 65'536;
constexpr double kLater = 0.15;
constexpr std::size_t kFewest = 64;  // entries held
constexpr std::size_t kSmallestRing = 1024;

}  // namespace

LabelSampler::LabelSampler(LabelSampler&& other) noexcept
    : history_(other.history_),
      random_(other.random_),
      ring_(std::exchange(other.ring_, {})),
      next_(std::exchange(other.next_, 0)),
      resolved_(std::exchange(other.resolved_, {})) {}

LabelSampler::~LabelSampler() {
  for (std::uint64_t place = resolved_.back(); place < next_; ++place) {
    history_->let_go(at(place).slot);
  }
}

void LabelSampler::sample(Scored& entries) {
  const bool is_early = next_ < kAtFirst;
  if (entries.size() < kFewest || (!is_early && base::random_unit(random_) >= kLater)) return;
  if (next_ - resolved_.back() == ring_.size()) {
    if (ring_.size() == kMostPending) return;
    grow();
  }
  const EntryId id = entries.any(random_);
  if (!history_->hold(entries.slot(id))) return;
  at(next_) = {.snapshot = entries.snapshot(id),
               .slot = entries.slot(id),
               .residence = static_cast<float>(entries.mean_residence()),
               .weight = is_early ? static_cast<float>(kLater) : 1.0F};
  ++next_;
}

bool LabelSampler::is_due(std::size_t head) const noexcept {
  if (resolved_[head] == next_) return false;
  const Sample& sample = at(resolved_[head]);
  const auto waited = static_cast<float>(history_->now() - sample.snapshot.now);
  return waited >= predictor::kHorizons[head] * sample.residence;
}

predictor::Example LabelSampler::next(std::size_t head) noexcept {
  const Sample& sample = at(resolved_[head]);
  ++resolved_[head];
  const predictor::Example example{
      .snapshot = sample.snapshot,
      .weight = sample.weight,
      .head = static_cast<std::uint8_t>(head),
      .is_accessed = history_->last(sample.slot) != sample.snapshot.past.last};
  if (head + 1 == kHeads) history_->let_go(sample.slot);
  return example;
}

void LabelSampler::grow() {
  base::Table<Sample> bigger(std::max(kSmallestRing, 2 * ring_.size()));
  for (std::uint64_t place = resolved_.back(); place < next_; ++place) {
    bigger[place & (bigger.size() - 1)] = at(place);
  }
  ring_ = std::move(bigger);
}

std::size_t LabelSampler::memory_bytes() const noexcept { return ring_.size() * sizeof(Sample); }

}  // namespace vcache::l1::policy
