#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "l2/leases.hpp"
#include "l2/session_slot.hpp"

namespace vcache::l2 {

// Leases in Redis. They lie with the namespace's own keys: of several servers the one that holds
// these knows nothing of values elsewhere.
class RedisLeases final : public Leases {
 public:
  // `session` outlives it.
  explicit RedisLeases(SessionSlot& session) noexcept : session_(session) {}

  void take(std::span<const std::string_view> keys, const LeaseTerms& terms,
            std::span<Grant> grants) noexcept override;
  void give_up(std::span<const std::string_view> keys, std::string_view token) noexcept override;
  [[nodiscard]] std::unique_ptr<LeaseWait> watch(std::span<const std::string_view> keys) override;

 private:
  SessionSlot& session_;
};

}  // namespace vcache::l2
