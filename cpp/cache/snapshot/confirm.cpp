#include "cache/snapshot/confirm.hpp"

#include <algorithm>
#include <new>

#include "cache/snapshot/take_over.hpp"
#include "cache/unwritten.hpp"

namespace vcache::cache::snapshot {

Confirmation::Confirmation(TieredCache& cache, std::span<const Asked> asked, bool keeps_unconfirmed,
                           l1::Restoration& restoration, Loaded& loaded)
    : cache_(cache),
      asked_(asked),
      keeps_unconfirmed_(keeps_unconfirmed),
      restoration_(restoration),
      loaded_(loaded),
      token_(cache.fills().begin_fill()),
      began_(cache.memory().tags().now()),
      answers_(asked.size()),
      sizes_(asked.size()) {}

void Confirmation::run() {
  std::vector<std::string_view> keys;
  keys.reserve(asked_.size());
  for (const Asked& each : asked_) keys.push_back(each.key);
  (void)cache_.redis().fetch(keys, *this);  // what failed is told of by key
  for (std::size_t i = 0; i < asked_.size(); ++i) count(i);
}

void Confirmation::on_value(std::size_t index, const l2::StoredValue& stored) noexcept {
  answers_[index] = Answer::kGone;
  if (stored.stale) return;
  try {
    switch (store(index, stored)) {
      case l1::Restored::kStored:
        answers_[index] = Answer::kStored;
        sizes_[index] = stored.value.payload.size();
        return;
      case l1::Restored::kNewer:
        answers_[index] = Answer::kNewer;
        return;
      case l1::Restored::kNoRoom:
        answers_[index] = Answer::kNoRoom;
        return;
      case l1::Restored::kVoid:
        return;
    }
  } catch (const std::bad_alloc&) {
    answers_[index] = Answer::kNoRoom;
  }
}

l1::Restored Confirmation::store(std::size_t index, const l2::StoredValue& stored) {
  const Asked& asked = asked_[index];
  l1::Kept kept = asked.kept;
  kept.age = stored.age;
  kept.made = {.here = std::min(stored.made.here, began_), .shared = stored.made.shared};
  kept.is_from_redis = true;
  const Lifetimes lifetimes = cache_.ttls().promoted(asked.key, stored.remaining);
  kept.lifetime = in_memory(lifetimes);
  kept.longest = longest_in_memory(lifetimes);
  const Unwritten gate(cache_.fills(), asked.key, token_);
  return cache_.memory().restore(asked.key, stored.value, kept, &gate, restoration_);
}

void Confirmation::on_absent(std::size_t index, l2::Outcome outcome) noexcept {
  if (answers_[index] == Answer::kStored) (void)cache_.memory().erase(asked_[index].key);
  answers_[index] = l2::is_unanswered(outcome) ? Answer::kNone : Answer::kGone;
  const Unwritten gate(cache_.fills(), asked_[index].key, token_);
  if (answers_[index] == Answer::kGone) {
    cache_.memory().drop_unverified(asked_[index].key, gate);
  }
}

void Confirmation::count(std::size_t index) {
  const Asked& asked = asked_[index];
  switch (answers_[index]) {
    case Answer::kStored:
      ++loaded_.entries;
      ++loaded_.confirmed;
      loaded_.bytes += sizes_[index];
      return;
    case Answer::kNewer:
      ++loaded_.newer;
      return;
    case Answer::kNoRoom:
      ++loaded_.no_room;
      return;
    case Answer::kGone:
      ++loaded_.gone;
      return;
    case Answer::kNone:
      if (!keeps_unconfirmed_) {
        ++loaded_.unconfirmed;
        return;
      }
      if (asked.kept.lifetime <= base::Nanos{0}) {
        ++loaded_.expired;
        return;
      }
      const std::uint64_t before = loaded_.entries;
      l1::Kept kept = asked.kept;
      kept.is_verified = false;
      kept.marks = asked.marks;
      const Unwritten gate(cache_.fills(), asked.key, token_);
      take_over(cache_, {.key = asked.key, .value = asked.value, .kept = kept, .gate = &gate},
                restoration_, loaded_);
      loaded_.unverified += loaded_.entries - before;
  }
}

}  // namespace vcache::cache::snapshot
