#pragma once

#include <atomic>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "l2/listener.hpp"
#include "l2/redis_options.hpp"
#include "l2/session.hpp"
#include "l2/silence.hpp"

namespace vcache::l2 {

// The session of the process that asks: a forked child gets one of its own. Thread-safe.
class SessionSlot {
 public:
  // The references outlive it.
  SessionSlot(RedisOptions options, const base::Clock& clock, Listener& listener)
      : options_(std::move(options)),
        clock_(clock),
        listener_(listener),
        session_(new Session(options_, clock_, listener_)) {
    silence_.follow(current().only_breaker());
  }
  ~SessionSlot();
  SessionSlot(const SessionSlot&) = delete;
  SessionSlot& operator=(const SessionSlot&) = delete;

  // The session, in use from now on; nullptr, and why, where there is none.
  [[nodiscard]] Session* begin(base::Error& error) noexcept;
  // The same, not to be used.
  [[nodiscard]] Session* find(base::Error& error) noexcept;
  // As it lies here, be it a parent's.
  [[nodiscard]] Session& current() const noexcept {
    return *session_.load(std::memory_order_acquire);
  }
  // Whether the only server there is gives no answer.
  [[nodiscard]] bool is_silent() const noexcept { return silence_.holds(); }
  // The same; counts a question that is not asked for it.
  [[nodiscard]] bool skips() noexcept;
  // Closes it; from now on there is none. Idempotent.
  void close() noexcept;

 private:
  [[nodiscard]] Session* replace(Session* parents);

  // Constant after construction.
  const RedisOptions options_;
  const base::Clock& clock_;
  Listener& listener_;

  // Own synchronization.
  std::atomic<Session*> session_;  // owned; replaced in a forked child
  Silence silence_;
  std::atomic<bool> closed_{false};
};

}  // namespace vcache::l2
