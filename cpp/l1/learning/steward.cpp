#include "l1/learning/steward.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "l1/policy/id_list.hpp"

namespace vcache::l1::learning {

namespace {

using policy::EntryId;
using policy::kNoEntry;
using policy::Named;
using policy::Note;

// What is chosen beyond the demand, so that not every insertion has to ask.
constexpr std::size_t kAheadShare = 64;  // of the entries, at most one in so many
constexpr std::size_t kMostAhead = 16;
constexpr std::size_t kLessons = 64;  // handed over at once
constexpr std::size_t kEntriesForSample = 4;

bool differs(const policy::Candidate& one, const policy::Candidate& other) noexcept {
  return one.bytes != other.bytes || one.cost != other.cost;
}

}  // namespace

// clang's analysis does not know that nobody else sees an object that is being made.
Steward::Steward(policy::LearnedOptions options, Tutor& tutor) VCACHE_NO_THREAD_SAFETY_ANALYSIS
    : options_(std::move(options)),
      tutor_(tutor),
      pinned_(options_.pinned),
      policy_(std::make_unique<policy::Learned>(told())),
      hour_(options_.seed) {}

policy::LearnedOptions Steward::told() {
  policy::LearnedOptions options = options_;
  options.pinned = pinned_;
  if (tutor_.teaches()) {
    options.examples = [this](const predictor::Example& example) { lessons_.push_back(example); };
  }
  return options;
}

void Steward::read(policy::NoteQueue& notes) {
  settle_hours();
  // The analysis does not see that the template calls it at once.
  notes.drain([this](const Note& note) VCACHE_NO_THREAD_SAFETY_ANALYSIS { read(note); });
}

void Steward::read(const Note& note) {
  const Named named{.id = note.id, .generation = note.generation};
  const policy::Candidate candidate{
      .key_hash = note.key_hash, .bytes = note.bytes, .cost = note.cost, .origin = note.origin};
  if (note.kind == Note::Kind::kInsert) {
    insert({.named = named, .candidate = candidate});
    return observe(named, note.key_hash);
  }
  if (!is_known(named)) return;
  switch (note.kind) {
    case Note::Kind::kHit:
      policy_->on_hit(note.id);
      return observe(named, policy_->candidate(note.id).key_hash);
    case Note::Kind::kUpdate:
      return policy_->on_update(note.id, candidate);
    case Note::Kind::kErase:
      return policy_->on_erase(note.id);
    case Note::Kind::kSpared:
      if (policy_->is_chosen(note.id)) policy_->on_hit(note.id);
      return;
    default:
      return policy_->on_evict(note.id);
  }
}

void Steward::insert(const Known& entry) {
  if (policy_->holds(entry.named.id)) policy_->on_evict(entry.named.id);
  policy::reach(generations_, entry.named.id);
  policy_->on_insert(entry.named.id, entry.candidate);
  generations_[entry.named.id] = entry.named.generation;
}

bool Steward::is_known(const Named& named) const noexcept {
  return policy_->holds(named.id) && generations_[named.id] == named.generation;
}

// Generations wrap, and any number of notes may have been lost.
bool Steward::is_known(const Known& entry) const noexcept {
  return is_known(entry.named) &&
         policy_->candidate(entry.named.id).key_hash == entry.candidate.key_hash;
}

void Steward::start_again(std::span<const Known> entries) {
  std::vector<bool> stays(std::max(policy_->ids(), generations_.size()));
  for (const Known& entry : entries) {
    if (is_known(entry)) stays[entry.named.id] = true;
  }
  for (EntryId id = 0; id < policy_->ids(); ++id) {
    if (policy_->holds(id) && !stays[id]) policy_->on_evict(id);
  }
  for (const Known& entry : entries) {
    if (!is_known(entry)) {
      insert(entry);
    } else if (differs(policy_->candidate(entry.named.id), entry.candidate)) {
      policy_->on_update(entry.named.id, entry.candidate);
    } else if (policy_->is_chosen(entry.named.id)) {
      policy_->on_hit(entry.named.id);  // nothing is prepared any more
    }
  }
}

std::span<const Named> Steward::choose(const Demand& demand) {
  chosen_.clear();
  const std::size_t ahead = std::clamp<std::size_t>(policy_->size() / kAheadShare, 1, kMostAhead);
  std::uint64_t bytes = 0;
  while (bytes < demand.bytes || chosen_.size() < std::max(demand.entries, ahead)) {
    const EntryId id = policy_->choose();
    if (id == kNoEntry) break;
    chosen_.push_back({.id = id, .generation = generations_[id]});
    bytes += policy_->candidate(id).bytes;
  }
  return chosen_;
}

void Steward::observe(const Named& named, std::uint64_t key_hash) {
  hour_.on_access(key_hash);
  if (!hour_.wants(rate_.per_second(read_at_, policy_->now()))) return;
  const auto asked = hour_.choose({.key_hash = key_hash, .entry = named.id});
  if (const auto known = outlook(asked.key_hash, asked.entry)) {
    hour_.sample(asked, *known, read_at_);
  }
}

std::optional<predictor::Outlook> Steward::outlook(std::uint64_t key_hash,
                                                   policy::EntryId id) const {
  const auto known = policy_->judge(key_hash, id);
  if (!known || !known->is_scored) return std::nullopt;
  const std::chrono::duration<double> seconds = hour_.span();
  const double rate = rate_.per_second(tutor_.clock().steady(), policy_->now());
  return predictor::outlook_of(known->snapshot.past, known->heads,
                               rate * seconds.count() / known->mean_residence);
}

// When the notes of a turn were made is not known: half of the time before it is taken to have
// passed.
void Steward::settle_hours() {
  const base::Nanos now = tutor_.clock().steady();
  const base::Nanos since = read_at_.count() == 0 ? now : read_at_;
  hour_.settle(since + (now - since) / 2, [](const predictor::Hour::Outcome&) {});
  if (policy_->size() >= predictor::Hour::kFewest) {
    hour_.reach(std::min(policy_->size() / kEntriesForSample, predictor::Hour::kMost));
  }
  rate_.note(now, policy_->now());
  read_at_ = now;
}

std::optional<double> Steward::predict(std::uint64_t key_hash, policy::EntryId id) const {
  const auto known = outlook(key_hash, id);
  if (!known) return std::nullopt;
  return hour_.probability(*known);
}

void Steward::meet_tutor() {
  if (lessons_.size() >= kLessons) {
    tutor_.take(lessons_);
    lessons_.clear();
  }
  if (tutor_.version() == version_) return;
  const Tutor::Online online = tutor_.online();
  policy_->set_online(online.model);
  version_ = online.version;
}

bool Steward::pin(std::string_view expert) {
  std::string pinned(expert);
  if (!policy_->pin(expert)) return false;
  pinned_ = std::move(pinned);
  return true;
}

void Steward::rest() {
  policy_ = std::make_unique<policy::Learned>(told());
  lessons_ = {};
  generations_ = {};
  chosen_ = {};
  version_ = 0;
  rate_ = {};
  hour_ = predictor::Hour(options_.seed);
}

policy::AnyPolicy Steward::classic() const {
  if (options_.objective == policy::Objective::kCost) return policy::Gdsf();
  return policy::S3Fifo();
}

bool Steward::knows_of_gone() const noexcept { return policy_->knows_of_gone(); }

std::size_t Steward::memory_bytes() const noexcept {
  return policy_->memory_bytes() + policy::occupied(generations_) +
         lessons_.capacity() * sizeof(predictor::Example) + chosen_.capacity() * sizeof(Named) +
         hour_.memory_bytes() + tutor_.share_of_memory();
}

}  // namespace vcache::l1::learning
