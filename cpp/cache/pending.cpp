#include "cache/pending.hpp"

#include <algorithm>
#include <utility>

#include "base/glob.hpp"

namespace vcache::cache {

namespace {

constexpr std::uint8_t kMostRefusals = 10;

base::Nanos expiry(base::Millis ttl, base::Nanos now) noexcept {
  return ttl > base::Millis::zero() ? now + ttl : Pending::kNoExpiry;
}

bool is_value(const Pending& pending) noexcept { return pending.kind == Pending::Kind::kValue; }

// Copies to `to`, and has the view look there.
void move_to(std::byte*& to, base::ByteView& view) noexcept {
  std::ranges::copy(view, to);
  view = {to, view.size()};
  to += view.size();
}

}  // namespace

base::Millis Pending::ttl(base::Nanos now) const noexcept {
  if (expires == kNoExpiry) return base::Millis::zero();
  return std::max(std::chrono::ceil<base::Millis>(expires - now), base::Millis(1));
}

std::size_t Pending::size() const noexcept {
  constexpr std::size_t kBookkeeping = 256;  // about
  return kBookkeeping + key.size() + value.payload.size() + value.metadata.size() +
         value.tags.size();
}

PendingRef pending_value(const l2::Write& write, base::Nanos now) {
  auto out = std::make_shared<Pending>();
  out->kind = Pending::Kind::kValue;
  out->key = write.key;
  out->value = write.value;
  const std::size_t size =
      write.value.payload.size() + write.value.metadata.size() + write.value.tags.size();
  // NOLINTNEXTLINE(modernize-avoid-c-arrays)
  const std::shared_ptr<std::byte[]> bytes(new std::byte[std::max<std::size_t>(size, 1)]);
  std::byte* to = bytes.get();
  move_to(to, out->value.payload);
  move_to(to, out->value.metadata);
  move_to(to, out->value.tags);
  out->bytes = bytes;
  out->made = now;
  out->expires = expiry(write.ttl, now);
  out->moment = write.made;
  return out;
}

PendingRef pending_erase(std::string_view key, base::Nanos now) {
  auto out = std::make_shared<Pending>();
  out->key = key;
  out->made = now;
  out->expires = Pending::kNoExpiry;
  return out;
}

PendingRef pending_touch(std::string_view key, base::Millis ttl, base::Nanos now) {
  auto out = std::make_shared<Pending>();
  out->kind = Pending::Kind::kTouch;
  out->key = key;
  out->made = now;
  out->expires = expiry(ttl, now);
  return out;
}

PendingRef touched(const Pending& value, base::Millis ttl, base::Nanos now) {
  auto out = std::make_shared<Pending>(value);
  out->expires = expiry(ttl, now);
  return out;
}

bool PendingWrites::waits(std::string_view key) const noexcept {
  if (empty()) return false;
  const base::MutexLock lock(mutex_);
  return places_.contains(key);
}

PendingRef PendingWrites::find(std::string_view key) {
  const base::MutexLock lock(mutex_);
  const auto found = places_.find(key);
  if (found == places_.end()) return nullptr;
  refresh(found->second);
  return found->second->pending;
}

bool PendingWrites::put(PendingRef pending) {
  const base::MutexLock lock(mutex_);
  const bool first = queue_.empty();
  if (const auto found = places_.find(pending->key); found != places_.end()) {
    change(found->second, std::move(pending));
  } else {
    append(std::move(pending));
  }
  make_room();
  return first;
}

PendingWrites::Added PendingWrites::put_if_alone(PendingRef pending) {
  const base::MutexLock lock(mutex_);
  const bool first = queue_.empty();
  if (places_.contains(pending->key)) return Added::kNo;
  append(std::move(pending));
  make_room();
  return first ? Added::kFirst : Added::kYes;
}

void PendingWrites::append(PendingRef pending) {
  Queue one;
  Values its;
  one.push_back({.pending = std::move(pending)});
  const auto place = one.begin();
  if (is_value(*place->pending)) place->value = its.insert(its.end(), place);
  places_.emplace(place->pending->key, place);
  queue_.splice(queue_.end(), one);
  values_.splice(values_.end(), its);
  bytes_ += place->pending->size();
  count_.store(queue_.size());
}

bool PendingWrites::replace(PendingRef pending) {
  const base::MutexLock lock(mutex_);
  const auto found = places_.find(pending->key);
  if (found == places_.end()) return false;
  change(found->second, std::move(pending));
  make_room();
  return true;
}

bool PendingWrites::replace(PendingRef pending, const PendingRef& expected) {
  const base::MutexLock lock(mutex_);
  const auto found = places_.find(pending->key);
  if (found == places_.end() || found->second->pending != expected) return false;
  change(found->second, std::move(pending));
  return true;
}

void PendingWrites::end_values(const std::function<bool(const Pending&)>& is_over) {
  const base::MutexLock lock(mutex_);
  for (auto place = queue_.begin(); place != queue_.end(); ++place) {
    const Pending& each = *place->pending;
    if (is_value(each) && is_over(each)) {
      change(place, pending_erase(each.key, now()));
    }
  }
}

void PendingWrites::add_keys(std::string_view pattern, std::vector<std::string>& keys) {
  const base::MutexLock lock(mutex_);
  for (auto place = queue_.begin(); place != queue_.end(); ++place) {
    refresh(place);
    const Pending& each = *place->pending;
    if (is_value(each) && base::matches_glob(pattern, each.key)) keys.push_back(each.key);
  }
}

void PendingWrites::clear() {
  const base::MutexLock lock(mutex_);
  for (auto place = queue_.begin(); place != queue_.end();) {
    const auto each = place++;
    if (each->being_sent) {
      change(each, pending_erase(each->pending->key, now()));
    } else {
      remove(each);
    }
  }
}

std::vector<PendingRef> PendingWrites::begin_batch(std::size_t keys, std::size_t bytes) {
  const base::MutexLock lock(mutex_);
  std::vector<PendingRef> out;
  out.reserve(std::min(keys, queue_.size()));
  std::size_t size = 0;
  for (auto place = queue_.begin(); place != queue_.end(); ++place) {
    if (out.size() == keys || (size >= bytes && !out.empty())) break;
    refresh(place);
    place->being_sent = true;
    size += place->pending->size();
    out.push_back(place->pending);
  }
  return out;
}

void PendingWrites::end_batch(std::span<const PendingRef> batch, std::span<const End> ends) {
  const base::MutexLock lock(mutex_);
  for (std::size_t i = 0; i < batch.size(); ++i) end_one(batch[i], ends[i]);
}

void PendingWrites::end_one(const PendingRef& sent, End end) {
  const auto found = places_.find(sent->key);
  if (found == places_.end()) return;
  const Queue::iterator place = found->second;
  place->being_sent = false;
  queue_.splice(queue_.end(), queue_, place);
  if (is_value(*place->pending)) values_.splice(values_.end(), values_, place->value);
  if (place->pending != sent || end == End::kLater) return;
  if (end == End::kTaken) {
    ++recovered_;
    remove(place);
  } else if (++place->refusals >= kMostRefusals) {
    give_up(place);
  }
}

// A value that Redis does not want leaves an older one there.
void PendingWrites::give_up(Queue::iterator place) {
  ++dropped_;
  if (is_value(*place->pending)) {
    change(place, pending_erase(place->pending->key, now()));
  } else {
    remove(place);
  }
}

PendingWrites::Counts PendingWrites::counts() const {
  const base::MutexLock lock(mutex_);
  return {.waiting = queue_.size(), .recovered = recovered_, .dropped = dropped_};
}

void PendingWrites::change(Queue::iterator place, PendingRef pending) {
  const bool was_value = is_value(*place->pending);
  if (is_value(*pending) && !was_value) place->value = values_.insert(values_.end(), place);
  if (!is_value(*pending) && was_value) values_.erase(place->value);
  auto node = places_.extract(place->pending->key);
  bytes_ = bytes_ - place->pending->size() + pending->size();
  node.key() = pending->key;
  place->pending = std::move(pending);
  place->refusals = 0;
  places_.insert(std::move(node));
}

void PendingWrites::remove(Queue::iterator place) noexcept {
  bytes_ -= place->pending->size();
  if (is_value(*place->pending)) values_.erase(place->value);
  places_.erase(place->pending->key);
  queue_.erase(place);
  count_.store(queue_.size());
}

void PendingWrites::refresh(Queue::iterator place) {
  const Pending& pending = *place->pending;
  if (!is_value(pending) || pending.expires > now()) return;
  change(place, pending_erase(pending.key, now()));
}

void PendingWrites::make_room() {
  while (bytes_ > limits_.bytes && !values_.empty()) give_up(values_.front());
  for (auto place = queue_.begin(); is_full() && place != queue_.end();) {
    const auto each = place++;
    if (each->being_sent) continue;
    ++dropped_;
    remove(each);
  }
}

void PendingWrites::before_fork() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }

void PendingWrites::after_fork_in_parent() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS {
  mutex_.unlock();
}

void PendingWrites::after_fork_in_child() noexcept VCACHE_NO_THREAD_SAFETY_ANALYSIS {
  places_.clear();
  values_.clear();
  queue_.clear();
  bytes_ = 0;
  count_.store(0);
  mutex_.unlock();
}

}  // namespace vcache::cache
