#include "l2/key_waiters.hpp"

#include "base/hash.hpp"

namespace vcache::l2 {

KeyWaiters::Ticket::Ticket(KeyWaiters& waiters, std::span<const std::string_view> keys)
    : waiters_(waiters) {
  hashes_.reserve(keys.size());
  for (const std::string_view key : keys) hashes_.push_back(base::hash64(key, 0));
  waiters_.count_.fetch_add(1);
  const base::MutexLock lock(waiters_.mutex_);
  try {
    for (const std::uint64_t hash : hashes_) waiters_.tickets_.emplace(hash, this);
  } catch (...) {
    for (const std::uint64_t hash : hashes_) waiters_.remove(hash, *this);
    waiters_.count_.fetch_sub(1);
    throw;
  }
}

KeyWaiters::Ticket::~Ticket() {
  if (waiters_.foreign()) return;
  {
    const base::MutexLock lock(waiters_.mutex_);
    for (const std::uint64_t hash : hashes_) waiters_.remove(hash, *this);
  }
  waiters_.count_.fetch_sub(1);
}

void KeyWaiters::remove(std::uint64_t hash, const Ticket& ticket) {
  const auto [first, last] = tickets_.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    if (at->second != &ticket) continue;
    tickets_.erase(at);
    return;
  }
}

bool KeyWaiters::Ticket::wait_until(Time until) {
  if (waiters_.foreign()) return true;
  const base::MutexLock lock(waiters_.mutex_);
  while (!notified()) {
    if (!waiters_.woken_.wait_until(waiters_.mutex_, until)) return notified();
  }
  return true;
}

void KeyWaiters::notify(std::string_view key) noexcept {
  if (count_.load() == 0 || foreign()) return;
  const base::MutexLock lock(mutex_);
  const auto [first, last] = tickets_.equal_range(base::hash64(key, 0));
  if (first == last) return;
  for (auto at = first; at != last; ++at) at->second->notified_.store(true);
  woken_.notify_all();
}

void KeyWaiters::notify_all() noexcept {
  if (count_.load() == 0 || foreign()) return;
  const base::MutexLock lock(mutex_);
  for (const auto& [hash, ticket] : tickets_) ticket->notified_.store(true);
  woken_.notify_all();
}

}  // namespace vcache::l2
