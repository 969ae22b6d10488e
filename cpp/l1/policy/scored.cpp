#include "l1/policy/scored.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "base/random.hpp"
#include "l1/policy/id_list.hpp"

namespace vcache::l1::policy {

namespace {

constexpr std::size_t kBatchShare = 32;  // a batch is at most so small a part of the entries
constexpr double kLeastMissRatio = 0.002;
constexpr float kUnseen = -1;             // the miss ratio of a group that nothing is known of
constexpr double kMemory = 4;             // of the miss ratio, in residences of a full cache
constexpr std::uint32_t kScoredAnew = 8;  // scorings, for what was spared to be scored again
constexpr int kTries = 32;                // to draw an id that is held

// The binary logarithm of a ratio; 0 where one of them is unknown.
[[nodiscard]] float log2_over(double value, double mean) noexcept {
  return value > 0 && mean > 0 ? static_cast<float>(std::log2(value / mean)) : 0;
}

// Orders by worth, then by id. Requires: a finite worth.
[[nodiscard]] std::uint64_t rank(float worth, EntryId id) noexcept {
  constexpr std::uint32_t kSign = 0x80000000;
  const auto bits = std::bit_cast<std::uint32_t>(worth + 0.0F);  // of both zeros the positive
  return std::uint64_t{(bits & kSign) != 0 ? ~bits : bits | kSign} << 32 | id;
}

[[nodiscard]] EntryId id_of(std::uint64_t rank) noexcept { return static_cast<EntryId>(rank); }

}  // namespace

Scored::Scored(History& history, Model model, Objective objective, std::uint64_t seed)
    : history_(&history), model_(std::move(model)), objective_(objective), random_(seed) {
  group_miss_ratios_.fill(kUnseen);
  drawn_.reserve(kMostRanks);
  doomed_.reserve(kLargestBatch);
  spared_.reserve(kMostSpared);
}

Scored::Scored(Scored&& other) noexcept = default;

Scored::~Scored() {
  for (const Entry& entry : entries_) {
    if (entry.state != State::kFree) history_->let_go(entry.slot);
  }
}

void Scored::on_insert(EntryId id, const Candidate& candidate) {
  reach(entries_, id);
  const History::Slot slot = history_->find(candidate.key_hash);
  entries_[id] = {.slot = slot,
                  .bytes = candidate.bytes,
                  .cost = candidate.cost,
                  .since = history_->now(),
                  .state = State::kHeld,
                  .origin = candidate.origin};
  (void)history_->hold(slot);
  bytes_ += candidate.bytes;
  ++size_;
  note(false, candidate.origin.group());
  note_cost(candidate.cost);
}

void Scored::on_update(EntryId id, const Candidate& candidate) noexcept {
  Entry& entry = entries_[id];
  bytes_ += candidate.bytes;
  bytes_ -= entry.bytes;
  entry.bytes = candidate.bytes;
  entry.cost = candidate.cost;
  entry.origin = candidate.origin;
  on_hit(id);
}

void Scored::on_hit(EntryId id) noexcept {
  Entry& entry = entries_[id];
  if (entry.hits < std::numeric_limits<std::uint16_t>::max()) ++entry.hits;
  entry.state = State::kHeld;
  note(true, entry.origin.group());
}

void Scored::on_erase(EntryId id) noexcept {
  Entry& entry = entries_[id];
  history_->let_go(entry.slot);
  bytes_ -= entry.bytes;
  --size_;
  entry = {};
}

EntryId Scored::evict() {
  EntryId id = kNoEntry;
  while (id == kNoEntry) id = choose();
  on_erase(id);
  return id;
}

EntryId Scored::choose() {
  for (int scorings = 0; scorings < 2; ++scorings) {
    while (!doomed_.empty()) {
      const EntryId id = doomed_.back();
      doomed_.pop_back();
      if (entries_[id].state != State::kDoomed) continue;
      entries_[id].state = State::kChosen;
      return id;
    }
    doom_some();
  }
  return kNoEntry;
}

// Fills doomed_ with at least one entry, where any was found that is not chosen.
void Scored::doom_some() {
  draw();
  Ranks ranks;
  const std::size_t count = drawn_.size() + spared_.size();
  if (count == 0) return;
  std::ranges::copy(spared_, ranks.begin() + drawn_.size());
  const bool is_scored = score(ranks);
  const auto end = ranks.begin() + count;
  const auto left = ranks.begin() + std::min(batch(), count);
  const auto spared = is_scored ? std::min(left + kMostSpared, end) : left;
  std::nth_element(ranks.begin(), spared, end);
  std::partial_sort(ranks.begin(), left, spared);
  spared_.assign(left, spared);
  for (auto rank = left; rank != ranks.begin();) doomed_.push_back(id_of(*--rank));
  for (auto rank = spared; rank != end; ++rank) entries_[id_of(*rank)].state = State::kHeld;
  for (const EntryId id : doomed_) entries_[id].state = State::kDoomed;
}

// Others at random than those that were spared last and not accessed since.
void Scored::draw() {
  drawn_.clear();
  std::erase_if(spared_, [this](std::uint64_t rank) {
    return entries_[id_of(rank)].state != State::kSpared;
  });
  if (++scorings_ % kScoredAnew == 0) {
    for (const std::uint64_t rank : spared_) drawn_.push_back(id_of(rank));
    spared_.clear();
  }
  const std::size_t sampled = std::max(kSampledEach * batch(), kFewestSampled);
  if (entries_.size() <= sampled) {
    for (EntryId id = 0; id < entries_.size(); ++id) take(id);
  } else {
    for (std::size_t i = 0; i < sampled; ++i) take(any(random_));
  }
}

void Scored::take(EntryId id) {
  Entry& entry = entries_[id];
  if (entry.state != State::kHeld) return;
  entry.state = State::kSpared;
  drawn_.push_back(id);
}

// Ranks those that were drawn by their worth; where that fails, and then all, by their age.
bool Scored::score(Ranks& ranks) {
  std::array<float, kMostRanks * predictor::kInputs> features;
  std::array<float, kMostRanks * predictor::kHeads> heads;
  const std::size_t rows = drawn_.size();
  if (rows == 0) return true;
  for (const EntryId id : drawn_) history_->prefetch(entries_[id].slot);
  Means known = means();
  for (std::size_t i = 0; i < rows; ++i) {
    predictor::write_features(
        snapshot(drawn_[i], known),
        predictor::Inputs(&features[i * predictor::kInputs], predictor::kInputs));
  }
  bool is_usable = model_ != nullptr && model_
                                            ->score({features.data(), rows * predictor::kInputs},
                                                    rows, {heads.data(), rows * predictor::kHeads})
                                            .ok();
  for (std::size_t i = 0; i < rows && is_usable; ++i) {
    const float each = worth(&heads[i * predictor::kHeads], entries_[drawn_[i]]);
    ranks[i] = rank(each, drawn_[i]);
    is_usable = std::isfinite(each);
  }
  if (is_usable) return true;
  ++failures_;
  for (const std::uint64_t rank : spared_) drawn_.push_back(id_of(rank));
  for (std::size_t i = 0; i < drawn_.size(); ++i) {
    const auto last = history_->last(entries_[drawn_[i]].slot);
    ranks[i] = rank(-static_cast<float>(history_->now() - last), drawn_[i]);
  }
  return false;
}

// Against misses: a clipped log of the time to the next access, as the sum over horizons. Against
// cost: what the bytes earn by rate, for which the short horizons count.
float Scored::worth(const float* heads, const Entry& entry) const noexcept {
  if (objective_ == Objective::kMisses) return heads[1] + heads[2] + heads[3];
  const float cost = entry.cost > 0 ? entry.cost : 1;
  return cost * (heads[0] + heads[1] + heads[2]) / static_cast<float>(std::max(entry.bytes, 1U));
}

Scored::Means Scored::means() const noexcept {
  return {.log2_residence = static_cast<float>(std::log2(mean_residence())),
          .bytes = static_cast<double>(bytes_) / static_cast<double>(size_)};
}

predictor::Snapshot Scored::snapshot(EntryId id) const noexcept {
  Means known = means();
  return snapshot(id, known);
}

predictor::Snapshot Scored::snapshot(EntryId id, Means& known) const noexcept {
  const Entry& entry = entries_[id];
  if (entry.bytes != known.last_bytes) {
    known.last_bytes = entry.bytes;
    known.log2_size = log2_over(entry.bytes, known.bytes);
  }
  return {.past = history_->past(entry.slot),
          .residence = {.since = entry.since, .hits = entry.hits},
          .now = history_->now(),
          .log2_residence = known.log2_residence,
          .group_reuse = group_reuse(entry.origin.group()),
          .log2_size = known.log2_size,
          .log2_cost = log2_over(static_cast<double>(entry.cost), mean_cost_),
          .estimate = history_->estimate(entry.slot),
          .is_from_redis = entry.origin.is_from_redis()};
}

Candidate Scored::candidate(EntryId id) const noexcept {
  const Entry& entry = entries_[id];
  return {.key_hash = history_->key_hash(entry.slot),
          .bytes = entry.bytes,
          .cost = entry.cost,
          .origin = entry.origin};
}

std::vector<EntryId> Scored::by_age() const {
  std::vector<EntryId> ids;
  ids.reserve(size_);
  for (EntryId id = 0; id < entries_.size(); ++id) {
    if (entries_[id].state != State::kFree) ids.push_back(id);
  }
  std::ranges::sort(ids, std::ranges::greater(), [this](EntryId id) {
    return history_->now() - history_->last(entries_[id].slot);
  });
  return ids;
}

// Ids are dense but for those that are free for the moment.
EntryId Scored::any(std::uint64_t& random) const noexcept {
  EntryId id = kNoEntry;
  for (int i = 0; i < kTries; ++i) {
    id = base::random_below(random, entries_.size());
    if (entries_[id].state != State::kFree) return id;
  }
  while (entries_[id].state == State::kFree) id = id + 1 < entries_.size() ? id + 1 : 0;
  return id;
}

double Scored::mean_residence() const noexcept {
  return one_in_ * static_cast<double>(std::max<std::size_t>(size_, 1)) /
         std::max(miss_ratio_, kLeastMissRatio);
}

void Scored::set_residence(double accesses) noexcept {
  miss_ratio_ = std::clamp(one_in_ * static_cast<double>(size_) / std::max(accesses, 1.0),
                           kLeastMissRatio, 1.0);
}

void Scored::note(bool hit, std::uint8_t group) noexcept {
  const double rate = 1 / (kMemory * static_cast<double>(size_) + 100);
  const double missed = hit ? 0 : 1;
  float& of_group = group_miss_ratios_[group];
  if (of_group == kUnseen) of_group = static_cast<float>(miss_ratio_);
  of_group += static_cast<float>((missed - static_cast<double>(of_group)) * rate);
  miss_ratio_ += (missed - miss_ratio_) * rate;
}

float Scored::group_reuse(std::uint8_t group) const noexcept {
  const float missed = group_miss_ratios_[group];
  return group == 0 || missed == kUnseen ? 0 : static_cast<float>(miss_ratio_) - missed;
}

void Scored::note_cost(float cost) noexcept {
  if (!(cost > 0)) return;
  if (mean_cost_ == 0) mean_cost_ = static_cast<double>(cost);
  mean_cost_ += (static_cast<double>(cost) - mean_cost_) / (static_cast<double>(size_) + 100);
}

std::size_t Scored::batch() const noexcept {
  return std::clamp<std::size_t>(size_ / kBatchShare, 1, kLargestBatch);
}

std::size_t Scored::memory_bytes() const noexcept {
  return occupied(entries_) +
         (drawn_.capacity() + doomed_.capacity() + spared_.capacity()) * sizeof(EntryId);
}

}  // namespace vcache::l1::policy
