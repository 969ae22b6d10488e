#pragma once

#include "base/clock.hpp"
#include "base/keeper.hpp"
#include "l2/breaker.hpp"
#include "l2/command/context.hpp"
#include "l2/dialer.hpp"

namespace vcache::l2 {

// Sends the probes of one breaker, so that no caller waits for a server that may not answer: a PING
// on a connection of its own, as often as the breaker has it. The references must outlive it.
class Prober final : public base::Chore {
 public:
  // A probe has `timeout` to connect, log in and be answered.
  Prober(Breaker& breaker, Dialer& dialer, const command::Context& context, base::Millis timeout)
      : breaker_(breaker), dialer_(dialer), context_(context), timeout_(timeout) {}

  [[nodiscard]] base::Millis run() noexcept override;
  void interrupt() noexcept override {}

 private:
  [[nodiscard]] Breaker::Verdict probe();

  Breaker& breaker_;
  Dialer& dialer_;
  const command::Context& context_;
  const base::Millis timeout_;
};

}  // namespace vcache::l2
