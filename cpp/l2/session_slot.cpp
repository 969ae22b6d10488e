#include "l2/session_slot.hpp"

#include <unistd.h>

#include <exception>
#include <memory>

namespace vcache::l2 {

SessionSlot::~SessionSlot() {
  Session* const session = &current();
  if (session->process() == getpid()) {
    delete session;
  } else {
    session->abandon();
  }
}

Session* SessionSlot::begin(base::Error& error) noexcept {
  Session* const found = find(error);
  if (found != nullptr) found->begin();
  return found;
}

Session* SessionSlot::find(base::Error& error) noexcept {
  if (closed_.load(std::memory_order_acquire)) {
    error.code = base::ErrorCode::kClosed;
    return nullptr;
  }
  Session* const found = &current();
  if (found->process() == getpid()) return found;
  try {
    return replace(found);
  } catch (const std::exception&) {
    error.code = base::ErrorCode::kServer;
    return nullptr;
  }
}

// The connections and locks of a parent process are not ours: a child gets a session of its own.
// The parent's is left as it lies, since one of its locks may be held for ever.
Session* SessionSlot::replace(Session* parents) {
  auto fresh = std::make_unique<Session>(options_, clock_, listener_);
  if (!session_.compare_exchange_strong(parents, fresh.get(), std::memory_order_acq_rel)) {
    return parents;  // another thread was first: this is its session
  }
  parents->abandon();
  silence_.follow(fresh->only_breaker());
  return fresh.release();
}

// Of this process: the silence of a parent's server does not hold in a child.
bool SessionSlot::skips() noexcept {
  if (!is_silent()) return false;
  current().errors().add(ErrorKind::kBreakerOpen);
  return true;
}

void SessionSlot::close() noexcept {
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  silence_.follow(nullptr);
  if (current().process() == getpid()) current().close();
}

}  // namespace vcache::l2
