#include "cache/recovery.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/glob.hpp"
#include "base/guarded.hpp"
#include "cache/rest_of_keys.hpp"

namespace vcache::cache {

namespace {

using base::guarded;
using l2::Outcome;

l2::StoredValue stored_of(const Pending& pending, base::Nanos now) noexcept {
  l2::StoredValue out{.value = pending.value,
                      .age = std::chrono::duration_cast<base::Millis>(now - pending.made),
                      .made = pending.moment};
  if (pending.expires != Pending::kNoExpiry) out.remaining = pending.ttl(now);
  return out;
}

void answer(const Pending& waiting, base::Nanos now, std::size_t index, l2::FetchSink& sink) {
  if (waiting.kind == Pending::Kind::kValue) {
    sink.on_value(index, stored_of(waiting, now));
  } else {
    sink.on_absent(index, Outcome::kMiss);
  }
}

}  // namespace

Recovery::Recovery(std::unique_ptr<l2::L2> tier, const base::Clock& clock,
                   const PendingWrites::Limits& limits, base::Millis closing,
                   l2::Listener& listener)
    : tier_(std::move(tier)), listener_(listener), pending_(clock, limits), closing_(closing) {}

Recovery::~Recovery() {
  if (base::Keeper* const keeper = tier_->keeper()) keeper->remove(*this);
}

base::Error Recovery::fetch(std::span<const std::string_view> keys, l2::FetchSink& sink) noexcept {
  if (pending_.empty() && !patterns_.any()) return tier_->fetch(keys, sink);
  see_to_it();
  return fetch_rest(keys, sink);
}

base::Error Recovery::fetch_rest(std::span<const std::string_view> keys,
                                 l2::FetchSink& sink) noexcept {
  std::vector<PendingRef> waiting;
  std::vector<std::string_view> rest;
  std::vector<std::size_t> places;
  try {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      waiting.push_back(find_waiting(keys[i]));
      if (waiting.back()) continue;
      places.push_back(i);
      rest.push_back(keys[i]);
    }
  } catch (const std::exception&) {
    for (std::size_t i = 0; i < keys.size(); ++i) sink.on_absent(i, Outcome::kSkipped);
    return {base::ErrorCode::kServer};
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (waiting[i]) answer(*waiting[i], pending_.now(), i, sink);
  }
  if (rest.empty()) return {};
  RestSink rest_sink(sink, places);
  return tier_->fetch(rest, rest_sink);
}

// What is the truth of the key here; null: whatever the tier says.
PendingRef Recovery::find_waiting(std::string_view key) {
  PendingRef found = pending_.find(key);
  if (found && found->kind != Pending::Kind::kTouch) return found;
  return patterns_.take(key) ? pending_erase(key, pending_.now()) : nullptr;
}

base::Error Recovery::store(l2::WriteSource& writes, std::span<Outcome> outcomes) noexcept {
  return guarded([&] {
    const bool whole = pending_.empty() && !patterns_.any();
    return whole ? store_all(writes, outcomes) : store_rest(writes, outcomes);
  });
}

base::Error Recovery::store_all(l2::WriteSource& writes, std::span<Outcome> outcomes) {
  base::Error error = tier_->store(writes, outcomes);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (is_unanswered(outcomes[i])) wait(pending_write(writes.at(i)));
  }
  return error;
}

base::Error Recovery::store_rest(l2::WriteSource& writes, std::span<Outcome> outcomes) {
  RestOfWrites rest(writes);
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const l2::Write& write = writes.at(i);
    outcomes[i] = Outcome::kSkipped;
    if (!hold_back(write)) rest.add(i);
  }
  std::vector<Outcome> rest_outcomes(rest.size(), Outcome::kSkipped);
  base::Error error = store_all(rest, rest_outcomes);
  for (std::size_t i = 0; i < rest.size(); ++i) outcomes[rest.places()[i]] = rest_outcomes[i];
  return error;
}

// Behind what waits for its key, or for the erasure of what is older.
bool Recovery::hold_back(const l2::Write& write) {
  if (pending_.find(write.key) != nullptr && pending_.replace(pending_write(write))) return true;
  if (!patterns_.take(write.key)) return false;
  wait(pending_write(write));
  return true;
}

base::Error Recovery::erase(std::span<const std::string_view> keys,
                            std::span<Outcome> outcomes) noexcept {
  return guarded(
      [&] { return pending_.empty() ? erase_all(keys, outcomes) : erase_rest(keys, outcomes); });
}

base::Error Recovery::erase_all(std::span<const std::string_view> keys,
                                std::span<Outcome> outcomes) {
  base::Error error = tier_->erase(keys, outcomes);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (is_unanswered(outcomes[i])) wait(pending_erase(keys[i], pending_.now()));
  }
  return error;
}

base::Error Recovery::erase_rest(std::span<const std::string_view> keys,
                                 std::span<Outcome> outcomes) {
  std::vector<std::string_view> rest;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const PendingRef before = pending_.find(keys[i]);
    const bool had_value = before && before->kind == Pending::Kind::kValue;
    outcomes[i] = had_value ? Outcome::kHit : Outcome::kMiss;
    if (before && pending_.replace(pending_erase(keys[i], pending_.now()))) continue;
    places.push_back(i);
    rest.push_back(keys[i]);
  }
  std::vector<Outcome> rest_outcomes(rest.size(), Outcome::kSkipped);
  base::Error error = erase_all(rest, rest_outcomes);
  for (std::size_t i = 0; i < rest.size(); ++i) outcomes[places[i]] = rest_outcomes[i];
  return error;
}

base::Error Recovery::touch(std::string_view key, base::Millis ttl, Outcome& outcome) noexcept {
  return guarded([&] { return touch_rest(key, ttl, outcome); });
}

base::Error Recovery::touch_rest(std::string_view key, base::Millis ttl, Outcome& outcome) {
  if ((!pending_.empty() || patterns_.any()) && touch_waiting(key, ttl, outcome)) return {};
  base::Error error = tier_->touch(key, ttl, outcome);
  if (ttl < base::Millis::zero() || !is_unanswered(outcome)) return error;
  // What came to wait during the call is newer than the touch.
  while (!wait_if_alone(pending_touch(key, ttl, pending_.now()))) {
    if (touch_waiting(key, ttl, outcome)) return is_unanswered(outcome) ? error : base::Error{};
  }
  return error;
}

// False: nothing that waits answers for the key.
bool Recovery::touch_waiting(std::string_view key, base::Millis ttl, Outcome& outcome) {
  const base::Nanos now = pending_.now();
  const bool changes = ttl >= base::Millis::zero();
  while (const PendingRef before = pending_.find(key)) {
    if (before->kind == Pending::Kind::kErase) {
      outcome = Outcome::kMiss;
      return true;
    }
    const bool is_value = before->kind == Pending::Kind::kValue;
    if (!changes && !is_value) break;
    outcome = is_value ? Outcome::kHit : Outcome::kSkipped;
    if (!changes || pending_.replace(touched(*before, ttl, now), before)) return true;
  }
  if (!patterns_.take(key)) return false;
  outcome = Outcome::kMiss;
  return true;
}

base::Error Recovery::clear() noexcept {
  return guarded([&] {
    pending_.clear();
    patterns_.clear();
    return end_unless_told(tier_->clear());
  });
}

base::Error Recovery::invalidate_tags(std::span<const std::string_view> tags) noexcept {
  return guarded([&] {
    pending_.end_values([tags](const Pending& pending) {
      const std::vector<std::string_view> its = base::decode_tags(pending.value.tags);
      return std::ranges::find_first_of(its, tags) != its.end();
    });
    return end_unless_told(tier_->invalidate_tags(tags));
  });
}

// The tier makes up for it before its next call; the keeper sees to it without one.
base::Error Recovery::end_unless_told(base::Error error) noexcept {
  if (error.ok() || closed_.load()) return error;
  schedule();
  return error;
}

base::Error Recovery::erase_matching(std::string_view pattern, std::vector<std::string>& erased,
                                     Progress& progress) noexcept {
  return guarded([&] {
    pending_.end_values([&](const Pending& pending) {
      const bool is_over = base::matches_glob(pattern, pending.key);
      if (is_over) erased.push_back(pending.key);
      return is_over;
    });
    base::Error error = tier_->erase_matching(pattern, erased, progress);
    const bool never = error.code == base::ErrorCode::kForbidden;
    if (error.ok() || never || closed_.load()) return error;
    owe(pattern, progress);
    return error;
  });
}

// A clear ends more, and needs no memory.
void Recovery::owe(std::string_view pattern, const Progress& progress) noexcept {
  bool is_noted = false;
  (void)guarded([&]() -> base::Error {
    is_noted = patterns_.add(pattern, progress);
    return {};
  });
  if (!is_noted) (void)clear();
  schedule();
}

// Of a value with tags that bears no stamp nobody can say later whether it is current.
PendingRef Recovery::pending_write(const l2::Write& write) const {
  const bool unknown = !write.value.tags.empty() && write.made.shared == 0;
  return unknown ? pending_erase(write.key, pending_.now()) : pending_value(write, pending_.now());
}

l2::Status Recovery::status(bool probe) noexcept {
  l2::Status out = tier_->status(probe);
  const PendingWrites::Counts counts = pending_.counts();
  out.waiting = counts.waiting;
  out.recovered = counts.recovered;
  out.dropped = counts.dropped;
  return out;
}

bool Recovery::skips(std::string_view key) noexcept {
  return !pending_.waits(key) && tier_->skips(key);
}

void Recovery::close() noexcept {
  if (closed_.exchange(true)) return tier_->close();
  end_.store({});  // of the keeper's run that is waited for
  if (base::Keeper* const keeper = tier_->keeper()) keeper->remove(*this);
  end_.store(std::chrono::steady_clock::now() + closing_);
  const auto anything = [this] { return !pending_.empty() || owes() || patterns_.any(); };
  while (anything() && tier_->status(false).breaker == "closed" && !is_over()) {
    if (run() != base::Millis::zero()) break;
  }
  (void)guarded([&]() -> base::Error {
    pending_.clear();
    return {};
  });
  tier_->close();
}

void Recovery::wait(PendingRef pending) {
  if (closed_.load()) return;
  const bool first = pending_.put(std::move(pending));
  if (first || scheduled_.load() != tier_->keeper()) schedule();
}

bool Recovery::wait_if_alone(PendingRef pending) {
  if (closed_.load()) return true;
  const PendingWrites::Added added = pending_.put_if_alone(std::move(pending));
  if (added == PendingWrites::Added::kNo) return false;
  if (added == PendingWrites::Added::kFirst || scheduled_.load() != tier_->keeper()) schedule();
  return true;
}

// A child inherits the patterns that are owed, and has a keeper of its own.
void Recovery::see_to_it() noexcept {
  if (patterns_.any() && scheduled_.load() != tier_->keeper()) schedule();
}

void Recovery::schedule() noexcept {
  base::Keeper* const keeper = tier_->keeper();
  if (keeper != nullptr && keeper->add(*this)) scheduled_.store(keeper);
}

}  // namespace vcache::cache
