#pragma once

#include <atomic>

#include "base/fork.hpp"
#include "l2/breaker.hpp"

namespace vcache::l2 {

// Whether a server is known to give no answer: its breaker lets nothing through. Thread-safe. In a
// forked child it does not hold until another breaker is followed: nobody there closes the
// parent's.
class Silence final : private base::ForkParticipant {
 public:
  // From now on; null: it does not hold. The breaker outlives this.
  void follow(const Breaker* breaker) noexcept {
    breaker_.store(breaker, std::memory_order_release);
  }
  [[nodiscard]] bool holds() const noexcept {
    const Breaker* const breaker = breaker_.load(std::memory_order_acquire);
    return breaker != nullptr && breaker->refuses();
  }

 private:
  void before_fork() noexcept override {}
  void after_fork_in_parent() noexcept override {}
  void after_fork_in_child() noexcept override { follow(nullptr); }

  std::atomic<const Breaker*> breaker_{nullptr};
  base::ForkRegistration fork_registration_{*this};
};

}  // namespace vcache::l2
