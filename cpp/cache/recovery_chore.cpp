#include <algorithm>

#include "base/guarded.hpp"
#include "base/tags.hpp"
#include "cache/recovery.hpp"
#include "cache/rest_of_keys.hpp"

// What the keeper does for those that wait.
namespace vcache::cache {

namespace {

using base::guarded;
using l2::Outcome;
using End = PendingWrites::End;

// Small, so that what is replaced while it is sent is not many.
constexpr std::size_t kBatchKeys = 64;
constexpr std::size_t kBatchBytes = std::size_t{1} << 20;

constexpr base::Millis kForever = std::chrono::hours(24 * 3650);
constexpr base::Millis kIdle = std::chrono::hours(24);
constexpr base::Millis kPause{250};  // while there is no answer
constexpr base::Millis kRefusedPause{1000};

End end_of(Outcome outcome, const base::Error& error) noexcept {
  if (!is_unanswered(outcome)) return End::kTaken;
  const bool answered =
      error.ok() || error.code == base::ErrorCode::kServer || error.code == base::ErrorCode::kAuth;
  return outcome == Outcome::kFailed && answered ? End::kRefused : End::kLater;
}

}  // namespace

void Recovery::make_up() noexcept {
  if (owes()) (void)pay();
  (void)guarded([&]() -> base::Error {
    pay_patterns();
    return {};
  });
}

void Recovery::pay_patterns() {
  while (auto debt = patterns_.oldest()) {
    std::vector<std::string> erased;
    debt->progress.is_over = [this] { return is_over(); };
    const base::Error error = tier_->erase_matching(debt->pattern, erased, debt->progress);
    if (!error.ok() && error.code != base::ErrorCode::kForbidden) return patterns_.keep(*debt);
    patterns_.settle(debt->number);
  }
}

base::Millis Recovery::run() noexcept {
  make_up();
  if (owes()) return kPause;
  if (pending_.empty()) return patterns_.any() ? kPause : kIdle;
  base::Millis pause = kPause;
  (void)guarded([&]() -> base::Error {
    const std::vector<PendingRef> batch = pending_.begin_batch(kBatchKeys, kBatchBytes);
    const std::vector<End> ends = send(batch);
    tell_of_erased(batch, ends);
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

// While they still wait, so that nothing older is read into memory.
void Recovery::tell_of_erased(std::span<const PendingRef> batch, std::span<const End> ends) {
  std::vector<std::string_view> erased;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const bool is_erased = batch[i]->kind == Pending::Kind::kErase && ends[i] == End::kTaken;
    if (is_erased) erased.push_back(batch[i]->key);
  }
  if (!erased.empty()) listener_.on_keys_changed(erased);
}

// So that each tag of what is sent has a stamp.
void Recovery::keep_tags(std::span<const PendingRef> batch) {
  std::vector<std::string_view> tags;
  base::Millis longest{1};
  for (const PendingRef& each : batch) {
    const std::vector<std::string_view> its = base::decode_tags(each->value.tags);
    if (its.empty()) continue;
    tags.insert(tags.end(), its.begin(), its.end());
    const base::Millis ttl = each->ttl(pending_.now());
    longest = std::max(longest, ttl == base::Millis::zero() ? kForever : ttl);
  }
  if (tags.empty()) return;
  std::uint64_t ignored = 0;
  (void)tier_->take_stamp(tags, longest, ignored);
}

// What an owed pattern takes is sent behind it.
std::vector<End> Recovery::send(std::span<const PendingRef> batch) {
  std::vector<PendingRef> due;
  std::vector<End> ends(batch.size(), End::kLater);
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (patterns_.take(batch[i]->key)) continue;
    due.push_back(batch[i]);
    places.push_back(i);
  }
  const std::vector<End> of_due = send_due(due);
  for (std::size_t i = 0; i < due.size(); ++i) ends[places[i]] = of_due[i];
  return ends;
}

std::vector<End> Recovery::send_due(std::span<const PendingRef> batch) {
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
    } else if (is_over()) {
      ends.push_back(End::kLater);
    } else {
      Outcome outcome = Outcome::kSkipped;
      const base::Error error = tier_->touch(each->key, each->ttl(pending_.now()), outcome);
      ends.push_back(end_of(outcome, error));
    }
  }
  return ends;
}

}  // namespace vcache::cache
