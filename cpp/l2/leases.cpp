#include "l2/leases.hpp"

#include <algorithm>

#include "l2/l2.hpp"

namespace vcache::l2 {

namespace {

class NoWait final : public LeaseWait {
 public:
  [[nodiscard]] bool changed(base::Millis /*most*/) noexcept override { return true; }
  [[nodiscard]] bool due() noexcept override { return true; }
};

class NoLeases final : public Leases {
 public:
  void take(std::span<const std::string_view> /*keys*/, const LeaseTerms& /*terms*/,
            std::span<Grant> grants) noexcept override {
    std::ranges::fill(grants, Grant::kUnknown);
  }
  void give_up(std::span<const std::string_view> /*keys*/,
               std::string_view /*token*/) noexcept override {}
  [[nodiscard]] std::unique_ptr<LeaseWait> watch(
      std::span<const std::string_view> /*keys*/) override {
    return std::make_unique<NoWait>();
  }
};

}  // namespace

Leases& no_leases() noexcept {
  static NoLeases leases;
  return leases;
}

Leases& L2::leases() noexcept { return no_leases(); }

}  // namespace vcache::l2
