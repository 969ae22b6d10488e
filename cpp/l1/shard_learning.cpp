#include <algorithm>
#include <bit>
#include <exception>
#include <utility>

#include "l1/shard.hpp"

// What a shard has to do with its steward.
namespace vcache::l1 {

namespace {

using learning::Demand;
using learning::Known;
using learning::Steward;
using policy::Prepared;

// Of smaller entries what is known of each would take too large a share of the memory,
constexpr std::size_t kWorthLearning = std::size_t{1} << 10;  // bytes of an entry, in the mean
// and of few entries, of which more is known, in a shard of few bytes.
constexpr std::size_t kFew = 128;
constexpr std::size_t kKnownOfFew = 800;                    // bytes of each
constexpr std::size_t kKnownOfNone = std::size_t{6} << 10;  // bytes
constexpr std::size_t kShareOfFew = 10;                     // one in so many bytes, at most
constexpr std::size_t kShareOfGone = 8;  // one in so many bytes, at most, is known of others

// Whether what a full shard has is worth learning of.
struct Contents {
  std::size_t entries = 0;
  std::size_t mean = 0;   // bytes of an entry
  std::size_t limit = 0;  // bytes of the shard

  [[nodiscard]] bool are_worth_learning() const noexcept {
    if (mean < kWorthLearning) return false;
    return entries > kFew || limit / kShareOfFew >= kKnownOfNone + entries * kKnownOfFew;
  }
  // So clearly that it pays to begin.
  [[nodiscard]] bool are_worth_beginning() const noexcept {
    return Contents{entries - entries / 4, mean - mean / 5, limit - limit / 3}.are_worth_learning();
  }
};

constexpr std::size_t kFewestNotes = 64;
constexpr std::size_t kNoteShare = std::size_t{8} << 10;  // bytes of the shard for each note

}  // namespace

void Shard::prepare(std::size_t bytes) noexcept {
  if (steward_ == nullptr || !is_wanted(bytes) || !steward_->try_lock()) return;
  prepare(*steward_, bytes);
  steward_->unlock();
}

void Shard::catch_up() noexcept {
  if (steward_ == nullptr) return;
  const base::LockGuard turn(*steward_);
  prepare(*steward_, 0);
}

void Shard::tend() noexcept {
  if (steward_ != nullptr && is_wanted(0)) catch_up();
}

void Shard::prepare(Steward& steward, std::size_t bytes) noexcept {
  try {
    take_turn(steward, bytes);
  } catch (const std::exception&) {
    const base::SpinLock lock(mutex_);
    if (auto* prepared = std::get_if<Prepared>(&policy_)) prepared->fall_out_of_step();
  }
}

bool Shard::is_wanted(std::size_t bytes) {
  const base::SpinLock lock(mutex_);
  drain_notes();
  const auto* prepared = std::get_if<Prepared>(&policy_);
  if (prepared == nullptr) {
    const std::size_t count = policy::size(policy_);
    return count > 0 && Contents{count, used_bytes_ / count, limits_.bytes}.are_worth_beginning();
  }
  const Demand wanted = demand(bytes);
  return wanted.bytes > 0 || wanted.entries > 0 || prepared->is_out_of_step() ||
         4 * prepared->notes().size() >= prepared->notes().capacity();
}

// Only who has the turn replaces the policy, and with it the queue.
void Shard::take_turn(Steward& steward, std::size_t bytes) {
  const Turn turn = begin_turn(steward, bytes);
  if (turn.notes == nullptr) return;
  if (turn.starts_again) steward.start_again(turn.entries);
  steward.read(*turn.notes);
  steward.meet_tutor();
  std::span<const policy::Named> chosen;
  if (turn.demand.bytes > 0 || turn.demand.entries > 0) chosen = steward.choose(turn.demand);
  const base::SpinLock lock(mutex_);
  auto& prepared = *std::get_if<Prepared>(&policy_);
  prepared.rearm();
  prepared.prepare(chosen);
  for (const policy::Named& each : chosen) {
    if (each.id < entries_.size()) prefetch_header(entries_[each.id]);
  }
  steward_bytes_ = steward.memory_bytes();
  evict_to_limits();
}

Shard::Turn Shard::begin_turn(Steward& steward, std::size_t bytes) {
  const base::SpinLock lock(mutex_);
  drain_notes();
  change_policy(steward);
  auto* prepared = std::get_if<Prepared>(&policy_);
  if (prepared == nullptr) return {};
  Turn turn{.notes = &prepared->notes()};
  if (prepared->is_out_of_step()) {
    turn.entries = known();
    turn.starts_again = true;
    turn.notes->drain([](const policy::Note&) {});
    prepared->step_in();
  }
  turn.demand = demand(bytes);
  return turn;
}

// Beyond what is prepared. Nothing where there is room, nor for what will be declined.
Demand Shard::demand(std::size_t bytes) const {
  Demand wanted;
  if (bytes == 0 || bytes + bookkeeping_bytes() > limits_.bytes) return wanted;
  const auto& prepared = *std::get_if<Prepared>(&policy_);
  const std::size_t needed = used_bytes_ + bytes + bookkeeping_bytes();
  const std::size_t has = limits_.bytes + prepared.prepared_bytes();
  if (needed > has) wanted.bytes = needed - has;
  const std::size_t entries = index_.size() + 1;
  const std::size_t over = entries - std::min(entries, limits_.entries);
  wanted.entries = over - std::min(over, prepared.prepared());
  return wanted;
}

// A full shard of small entries, or of few, has a classic policy.
void Shard::change_policy(Steward& steward) {
  const std::size_t count = policy::size(policy_);
  if (count == 0) return;
  const Contents has{count, used_bytes_ / count, limits_.bytes};
  if (used_bytes_ + bookkeeping_bytes() + has.mean <= limits_.bytes) return;
  auto* const prepared = std::get_if<Prepared>(&policy_);
  if (prepared == nullptr) {
    if (has.are_worth_beginning()) begin_learning(steward);
  } else if (!has.are_worth_learning()) {
    end_learning(steward, *prepared);
  } else if (steward.knows_of_gone() && steward_bytes_ > limits_.bytes / kShareOfGone) {
    steward.rest();
    prepared->fall_out_of_step();
  }
}

void Shard::begin_learning(Steward& steward) {
  Prepared next = prepared();
  for (const Known& entry : known()) next.on_insert(entry.named.id, entry.candidate);
  next.fall_out_of_step();
  policy_ = std::move(next);
  steward_bytes_ = steward.memory_bytes();
}

void Shard::end_learning(Steward& steward, const Prepared& prepared) {
  policy::AnyPolicy next = steward.classic();
  for (const Known& entry : known()) policy::on_insert(next, entry.named.id, entry.candidate);
  steward.rest();
  counters_.unprepared += prepared.counts().unprepared;
  counters_.dropped += prepared.counts().dropped;
  policy_ = std::move(next);
  steward_bytes_ = steward.memory_bytes();
}

Prepared Shard::prepared() const {
  const std::size_t notes = std::bit_floor(limits_.bytes / kNoteShare + 1);
  Prepared made(std::clamp(notes, kFewestNotes, Prepared::kMostNotes));
  made.set_alarm(&steward_->alarm());
  return made;
}

std::vector<Known> Shard::known() const {
  const auto* prepared = std::get_if<Prepared>(&policy_);
  std::vector<Known> all;
  all.reserve(index_.size());
  for (EntryId id = 0; id < entries_.size(); ++id) {
    if (entries_[id] == nullptr) continue;
    const policy::Named named = prepared == nullptr ? policy::Named{.id = id} : prepared->named(id);
    all.push_back(
        {.named = named, .candidate = candidate_of(*entries_[id], hash_of(*entries_[id]))});
  }
  return all;
}

std::string_view Shard::leader(Steward& steward) const {
  const base::SpinLock lock(mutex_);
  return std::holds_alternative<Prepared>(policy_) ? steward.policy().leader()
                                                   : policy::name(policy_);
}

policy::EntryId Shard::id_of(const Probe& probe) const {
  const base::SpinLock lock(mutex_);
  return lookup(probe);
}

}  // namespace vcache::l1
