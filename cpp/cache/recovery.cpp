#include "cache/recovery.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/glob.hpp"
#include "base/tags.hpp"
#include "cache/rest_of_keys.hpp"

namespace vcache::cache {

namespace {

using l2::Outcome;
using End = PendingWrites::End;

// Small, so that what is replaced while it is sent is not many.
constexpr std::size_t kBatchKeys = 64;
constexpr std::size_t kBatchBytes = std::size_t{1} << 20;

constexpr base::Millis kIdle = std::chrono::hours(24);
constexpr base::Millis kPause{250};  // while there is no answer
constexpr base::Millis kRefusedPause{1000};

bool is_unanswered(Outcome outcome) noexcept {
  return outcome == Outcome::kSkipped || outcome == Outcome::kFailed;
}

End end_of(Outcome outcome, const base::Error& error) noexcept {
  if (!is_unanswered(outcome)) return End::kTaken;
  const bool answered =
      error.ok() || error.code == base::ErrorCode::kServer || error.code == base::ErrorCode::kAuth;
  return outcome == Outcome::kFailed && answered ? End::kRefused : End::kLater;
}

l2::StoredValue stored_of(const Pending& pending, base::Nanos now) noexcept {
  l2::StoredValue out{.value = pending.value,
                      .age = std::chrono::duration_cast<base::Millis>(now - pending.made),
                      .stamp = pending.stamp};
  if (pending.expires != Pending::kNoExpiry) out.remaining = pending.ttl(now);
  return out;
}

// Calls what may run out of memory.
template <class Call>
base::Error guarded(Call&& call) noexcept {
  try {
    return call();
  } catch (const std::exception&) {
    return {base::ErrorCode::kServer};
  }
}

}  // namespace

Recovery::Recovery(std::unique_ptr<l2::L2> tier, const base::Clock& clock,
                   const PendingWrites::Limits& limits, base::Millis closing)
    : tier_(std::move(tier)), pending_(clock, limits), closing_(closing) {}

Recovery::~Recovery() {
  if (l2::Keeper* const keeper = tier_->keeper()) keeper->remove(*this);
}

base::Error Recovery::fetch(std::span<const std::string_view> keys, l2::FetchSink& sink) noexcept {
  if (pending_.empty() && !patterns_.any()) return tier_->fetch(keys, sink);
  return fetch_rest(keys, sink);
}

base::Error Recovery::fetch_rest(std::span<const std::string_view> keys,
                                 l2::FetchSink& sink) noexcept {
  std::vector<PendingRef> waiting;
  std::vector<std::string_view> rest;
  std::vector<std::size_t> places;
  try {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      waiting.push_back(pending_.find(keys[i]));
      if (is_owed(waiting.back(), keys[i])) waiting.back() = pending_erase(keys[i], pending_.now());
      if (waiting.back() && waiting.back()->kind != Pending::Kind::kTouch) continue;
      places.push_back(i);
      rest.push_back(keys[i]);
    }
  } catch (const std::exception&) {
    for (std::size_t i = 0; i < keys.size(); ++i) sink.on_absent(i, Outcome::kSkipped);
    return {base::ErrorCode::kServer};
  }
  const base::Nanos now = pending_.now();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!waiting[i] || waiting[i]->kind == Pending::Kind::kTouch) continue;
    if (waiting[i]->kind == Pending::Kind::kValue) {
      sink.on_value(i, stored_of(*waiting[i], now));
    } else {
      sink.on_absent(i, Outcome::kMiss);
    }
  }
  if (rest.empty()) return {};
  RestSink rest_sink(sink, places);
  return tier_->fetch(rest, rest_sink);
}

base::Error Recovery::store(l2::WriteSource& writes, std::span<Outcome> outcomes) noexcept {
  return guarded([&] {
    return pending_.empty() ? store_all(writes, outcomes) : store_rest(writes, outcomes);
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
    const bool waits =
        pending_.find(write.key) != nullptr && pending_.replace(pending_write(write));
    if (!waits) rest.add(i);
  }
  std::vector<Outcome> rest_outcomes(rest.size(), Outcome::kSkipped);
  base::Error error = store_all(rest, rest_outcomes);
  for (std::size_t i = 0; i < rest.size(); ++i) outcomes[rest.places()[i]] = rest_outcomes[i];
  return error;
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
  const base::Nanos now = pending_.now();
  const bool changes = ttl >= base::Millis::zero();
  while (const PendingRef before = pending_.empty() ? nullptr : pending_.find(key)) {
    if (before->kind == Pending::Kind::kErase) {
      outcome = Outcome::kMiss;
      return {};
    }
    const bool is_value = before->kind == Pending::Kind::kValue;
    if (!changes && !is_value) break;
    outcome = is_value ? Outcome::kHit : Outcome::kSkipped;
    if (!changes || pending_.replace(touched(*before, ttl, now), before)) return {};
  }
  if (patterns_.take(key)) {
    outcome = Outcome::kMiss;
    return {};
  }
  base::Error error = tier_->touch(key, ttl, outcome);
  if (changes && is_unanswered(outcome)) wait(pending_touch(key, ttl, now));
  return error;
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

// The tier makes up for it before its next call; the keeper sees to one.
base::Error Recovery::end_unless_told(base::Error error) noexcept {
  if (error.ok() || closed_.load()) return error;
  owes_.store(true);
  schedule();
  return error;
}

base::Error Recovery::erase_matching(std::string_view pattern,
                                     std::vector<std::string>& erased) noexcept {
  return guarded([&] {
    pending_.end_values([&](const Pending& pending) {
      const bool is_over = base::matches_glob(pattern, pending.key);
      if (is_over) erased.push_back(pending.key);
      return is_over;
    });
    base::Error error = tier_->erase_matching(pattern, erased);
    const bool refused = error.code == base::ErrorCode::kServer;
    if (error.ok() || refused || closed_.load()) return error;
    if (patterns_.add(pattern)) {
      schedule();
    } else {
      (void)clear();
    }
    return error;
  });
}

bool Recovery::is_owed(const PendingRef& waiting, std::string_view key) const noexcept {
  const bool has_newest = waiting != nullptr && waiting->kind != Pending::Kind::kTouch;
  return !has_newest && patterns_.take(key);
}

// Of a value with tags that bears no stamp nobody can say later whether it is current.
PendingRef Recovery::pending_write(const l2::Write& write) const {
  const bool unknown = !write.value.tags.empty() && write.stamp == 0;
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
  if (l2::Keeper* const keeper = tier_->keeper()) keeper->remove(*this);
  const auto deadline = std::chrono::steady_clock::now() + closing_;
  while (!pending_.empty() && tier_->status(false).breaker == "closed" &&
         std::chrono::steady_clock::now() < deadline) {
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

void Recovery::schedule() noexcept {
  l2::Keeper* const keeper = tier_->keeper();
  if (keeper != nullptr && keeper->add(*this)) scheduled_.store(keeper);
}

// Any call of the tier does so, before its own work.
void Recovery::pay() noexcept {
  if (owes_.load()) {
    Outcome outcome = Outcome::kSkipped;
    (void)tier_->touch("", base::Millis(-1), outcome);
    if (!is_unanswered(outcome)) owes_.store(false);
  }
  (void)guarded([&]() -> base::Error {
    pay_patterns();
    return {};
  });
}

void Recovery::pay_patterns() {
  while (patterns_.any()) {
    const std::string pattern = patterns_.oldest();
    std::vector<std::string> erased;
    const base::Error error = tier_->erase_matching(pattern, erased);
    if (!error.ok() && error.code != base::ErrorCode::kServer) return;
    patterns_.remove_oldest();
  }
}

base::Millis Recovery::run() noexcept {
  pay();
  const bool owes = owes_.load() || patterns_.any();
  if (owes || pending_.empty()) return owes ? kPause : kIdle;
  base::Millis pause = kPause;
  (void)guarded([&]() -> base::Error {
    const std::vector<PendingRef> batch = pending_.begin_batch(kBatchKeys, kBatchBytes);
    const std::vector<End> ends = send(batch);
    pending_.end_batch(batch, ends);
    if (std::ranges::find(ends, End::kTaken) != ends.end()) {
      pause = base::Millis::zero();
    } else if (std::ranges::find(ends, End::kRefused) != ends.end()) {
      pause = kRefusedPause;
    }
    return {};
  });
  return pause;
}

// Of a tag that nobody had made there would be no stamp, and the value be over.
void Recovery::keep_tags(std::span<const PendingRef> batch) {
  for (const PendingRef& each : batch) {
    if (each->value.tags.empty()) continue;
    std::uint64_t now = 0;
    (void)tier_->take_stamp(base::decode_tags(each->value.tags), each->ttl(pending_.now()), now);
  }
}

std::vector<End> Recovery::send(std::span<const PendingRef> batch) {
  PendingSource values;
  std::vector<std::string_view> erased;
  for (const PendingRef& each : batch) {
    if (each->kind == Pending::Kind::kValue) values.add(*each, pending_.now());
    if (each->kind == Pending::Kind::kErase) erased.push_back(each->key);
  }
  std::vector<Outcome> stored_outcomes(values.size(), Outcome::kSkipped);
  std::vector<Outcome> erased_outcomes(erased.size(), Outcome::kSkipped);
  base::Error store_error;
  base::Error erase_error;
  if (values.size() > 0) {
    keep_tags(batch);
    store_error = tier_->store(values, stored_outcomes);
  }
  if (!erased.empty()) erase_error = tier_->erase(erased, erased_outcomes);
  std::vector<End> ends;
  auto next_stored = stored_outcomes.begin();
  auto next_erased = erased_outcomes.begin();
  for (const PendingRef& each : batch) {
    if (each->kind == Pending::Kind::kValue) {
      ends.push_back(end_of(*next_stored++, store_error));
    } else if (each->kind == Pending::Kind::kErase) {
      ends.push_back(end_of(*next_erased++, erase_error));
    } else {
      Outcome outcome = Outcome::kSkipped;
      const base::Error error = tier_->touch(each->key, each->ttl(pending_.now()), outcome);
      ends.push_back(end_of(outcome, error));
    }
  }
  return ends;
}

}  // namespace vcache::cache
