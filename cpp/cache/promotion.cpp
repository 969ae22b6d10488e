#include "cache/promotion.hpp"

#include <new>

#include "cache/unwritten.hpp"
#include "l1/detached.hpp"

namespace vcache::cache {

namespace {

constexpr Lifetimes kOver{.ttl = base::Nanos{0}, .memory_ttl = base::Nanos{0}};

}  // namespace

// An invalidation may have overtaken it, or it waited for Redis meanwhile.
void Promotion::on_value(std::size_t index, const l2::StoredValue& stored) noexcept {
  if (target_.memory.tags().is_over(stored.value.tags, made(stored))) {
    return on_absent(index, l2::Outcome::kExpired);
  }
  try {
    stored.stale ? hand_stale(index, stored) : promote(index, stored);
  } catch (const std::bad_alloc&) {
    out_[places_[index]] = {};  // a miss
  }
}

void Promotion::on_absent(std::size_t index, l2::Outcome outcome) noexcept {
  take_back(index);
  tally_.expired += outcome == l2::Outcome::kExpired ? 1 : 0;
  tally_ += failure_of(outcome);
  const std::string_view key = keys_[index];
  if (outcome != l2::Outcome::kSkipped && outcome != l2::Outcome::kFailed) {
    target_.memory.drop_unverified(key, Unwritten(target_.fills, key, token_));
    return;
  }
  Located& located = out_[places_[index]];
  if (target_.stale != Stale::kNever) located.entry = target_.memory.peek_stale(key);
  located.stale = static_cast<bool>(located.entry);
  if (located.stale) located.tier = Tier::kMemory;
  unanswered_ |= !located.stale;
}

void Promotion::hand_stale(std::size_t index, const l2::StoredValue& stored) {
  ++tally_.expired;
  if (target_.stale != Stale::kAny) return;
  const std::string_view key = keys_[index];
  Located& located = out_[places_[index]];
  located.entry = l1::make_detached(key, stored.value, identity_of(key, stored, kOver));
  located.stale = static_cast<bool>(located.entry);
  if (located.stale) located.tier = Tier::kRedis;
}

// What was promoted for the key, if anything, is void.
void Promotion::take_back(std::size_t index) noexcept {
  Located& located = out_[places_[index]];
  if (!located.entry) return;
  (void)target_.memory.erase(keys_[index]);
  located = {};
}

void Promotion::promote(std::size_t index, const l2::StoredValue& stored) {
  const std::string_view key = keys_[index];
  Located& located = out_[places_[index]];
  target_.memory.count_read(key);
  const l1::Identity identity =
      identity_of(key, stored, target_.ttls.promoted(key, stored.remaining));
  const Unwritten gate(target_.fills, key, token_);
  if (target_.admission.promotes(key, stored.value)) {
    located.entry = target_.memory.insert_pinned(key, stored.value, identity, gate);
  } else {
    ++tally_.declined;
    target_.memory.drop_unverified(key, gate);
  }
  if (!located.entry) located.entry = l1::make_detached(key, stored.value, identity);
  if (located.entry) located.tier = Tier::kRedis;
}

l1::Identity Promotion::identity_of(std::string_view key, const l2::StoredValue& stored,
                                    const Lifetimes& lifetimes) const {
  l1::Identity identity = target_.memory.identity_of(key, in_memory(lifetimes), stored.age,
                                                     made(stored), longest_in_memory(lifetimes));
  identity.is_from_redis = true;
  return identity;
}

}  // namespace vcache::cache
