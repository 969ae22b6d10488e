#include "l1/policy/prepared.hpp"

#include <utility>

#include "l1/policy/id_list.hpp"

namespace vcache::l1::policy {

Prepared::Prepared(std::size_t notes) : notes_(std::make_unique<NoteQueue>(notes)) {}

void Prepared::on_insert(EntryId id, const Candidate& candidate) {
  reach(slots_, id);
  Slot& slot = slots_[id];
  ++slot.generation;
  slot.bytes = candidate.bytes;
  slot.is_held = 1;
  slot.is_used = 0;
  bytes_ += candidate.bytes;
  ++size_;
  tell({.key_hash = candidate.key_hash,
        .id = id,
        .bytes = candidate.bytes,
        .cost = candidate.cost,
        .generation = slot.generation,
        .kind = Note::Kind::kInsert,
        .origin = candidate.origin});
}

void Prepared::on_update(EntryId id, const Candidate& candidate) noexcept {
  Slot& slot = slots_[id];
  bytes_ += candidate.bytes;
  bytes_ -= slot.bytes;
  if (slot.is_chosen != 0) {
    prepared_bytes_ += candidate.bytes;
    prepared_bytes_ -= slot.bytes;
  }
  slot.bytes = candidate.bytes;
  slot.is_used = 1;
  tell({.key_hash = candidate.key_hash,
        .id = id,
        .bytes = candidate.bytes,
        .cost = candidate.cost,
        .generation = slot.generation,
        .kind = Note::Kind::kUpdate,
        .origin = candidate.origin});
}

void Prepared::on_erase(EntryId id) noexcept {
  tell({.id = id, .generation = slots_[id].generation, .kind = Note::Kind::kErase});
  forget(id);
}

EntryId Prepared::evict() noexcept {
  EntryId id = take_prepared();
  ++(id == kNoEntry ? counts_.unprepared : counts_.prepared);
  if (id == kNoEntry) id = take_unused();
  tell({.id = id, .generation = slots_[id].generation, .kind = Note::Kind::kEvict});
  forget(id);
  return id;
}

EntryId Prepared::take_prepared() noexcept {
  while (next_ < chosen_.size()) {
    const Named chosen = chosen_[next_++];
    Slot& slot = slots_[chosen.id];
    if (slot.is_held == 0 || slot.generation != chosen.generation) continue;
    if (slot.is_used == 0) return chosen.id;
    unchoose(slot);
    // Its reader takes it for chosen where the note of its hit was dropped.
    tell({.id = chosen.id, .generation = chosen.generation, .kind = Note::Kind::kSpared});
  }
  chosen_.clear();
  next_ = 0;
  return kNoEntry;
}

void Prepared::unchoose(Slot& slot) noexcept {
  if (slot.is_chosen == 0) return;
  slot.is_chosen = 0;
  prepared_bytes_ -= slot.bytes;
  --prepared_;
}

EntryId Prepared::take_unused() noexcept {
  for (;; ++hand_) {
    if (hand_ >= slots_.size()) hand_ = 0;
    Slot& slot = slots_[hand_];
    if (slot.is_held == 0) continue;
    if (slot.is_used == 0) return hand_++;
    slot.is_used = 0;
  }
}

void Prepared::forget(EntryId id) noexcept {
  Slot& slot = slots_[id];
  unchoose(slot);
  slot.is_held = 0;
  bytes_ -= slot.bytes;
  --size_;
}

void Prepared::prepare(std::span<const Named> chosen) {
  chosen_.erase(chosen_.begin(), chosen_.begin() + static_cast<std::ptrdiff_t>(next_));
  next_ = 0;
  for (const Named& each : chosen) {
    if (is_out_of_step_ || each.id >= slots_.size()) continue;
    Slot& slot = slots_[each.id];
    if (slot.is_held == 0 || slot.generation != each.generation) continue;
    chosen_.push_back(each);
    slot.is_used = 0;
    if (slot.is_chosen != 0) continue;
    slot.is_chosen = 1;
    prepared_bytes_ += slot.bytes;
    ++prepared_;
  }
}

void Prepared::tell_of_hit(const Note& note) noexcept {
  // The other half is for what must be told.
  if (2 * notes_->size() >= notes_->capacity()) {
    ++counts_.dropped;
    if (alarm_ != nullptr && !std::exchange(is_alarmed_, true)) alarm_->on_half_full();
    return;
  }
  tell(note);
}

void Prepared::tell(const Note& note) noexcept {
  if (!is_out_of_step_ && !notes_->push(note)) is_out_of_step_ = true;
}

void Prepared::step_in() noexcept {
  is_out_of_step_ = false;
  for (; next_ < chosen_.size(); ++next_) {
    const Named chosen = chosen_[next_];
    if (slots_[chosen.id].generation == chosen.generation) unchoose(slots_[chosen.id]);
  }
  chosen_.clear();
  next_ = 0;
}

std::size_t Prepared::memory_bytes() const noexcept {
  return occupied(slots_) + chosen_.capacity() * sizeof(Named) + notes_->capacity() * sizeof(Note) +
         sizeof(NoteQueue);
}

}  // namespace vcache::l1::policy
