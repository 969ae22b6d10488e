#pragma once

#include <span>
#include <string_view>

#include "l2/client/deadline.hpp"
#include "l2/key_waiters.hpp"
#include "l2/leases.hpp"
#include "l2/session.hpp"

namespace vcache::l2 {

// Waits for leases on one server: told of their changes, or else asking now and then.
class LeaseWatch final : public LeaseWait {
 public:
  // All arguments outlive it.
  LeaseWatch(Session& session, std::span<const std::string_view> keys);

  [[nodiscard]] bool changed(base::Millis most) noexcept override;
  [[nodiscard]] bool due() noexcept override;

 private:
  // False: not all are held. Else they are asked about again after a pause.
  [[nodiscard]] bool ask() noexcept;
  [[nodiscard]] bool all_held() noexcept;

  Session& session_;
  const std::span<const std::string_view> keys_;
  KeyWaiters::Ticket ticket_;
  client::Deadline next_ask_{};  // at once: a change before the ticket was not told of
};

}  // namespace vcache::l2
