#include "l2/lease_watch.hpp"

#include <algorithm>
#include <exception>

#include "l2/command/lease.hpp"

namespace vcache::l2 {

namespace {

// Between questions of a waiter that nobody tells of changes, and of one who is told.
constexpr base::Millis kPause{50};
constexpr base::Millis kToldPause{1'000};

}  // namespace

LeaseWatch::LeaseWatch(Session& session, std::span<const std::string_view> keys)
    : session_(session), keys_(keys), ticket_(session.waiters(), keys) {}

bool LeaseWatch::due() noexcept {
  return ticket_.notified() || client::Deadline::clock::now() >= next_ask_;
}

bool LeaseWatch::changed(base::Millis most) noexcept {
  try {
    const client::Deadline end = client::Deadline::clock::now() + most;
    for (;;) {
      if (ticket_.notified()) return true;
      if (client::Deadline::clock::now() >= next_ask_ && !ask()) return true;
      if (ticket_.wait_until(std::min(end, next_ask_))) return true;
      if (client::Deadline::clock::now() >= end) return false;
    }
  } catch (const std::exception&) {
    return true;
  }
}

bool LeaseWatch::ask() noexcept {
  if (!all_held()) return false;
  next_ask_ = client::Deadline::clock::now() + (session_.waiters().told() ? kToldPause : kPause);
  return true;
}

bool LeaseWatch::all_held() noexcept {
  command::AskLeases batch(session_.node().context(), keys_);
  return session_.run_own(batch, session_.deadline()).ok() && batch.all_held();
}

}  // namespace vcache::l2
