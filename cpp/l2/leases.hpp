#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/clock.hpp"

namespace vcache::l2 {

// What came of asking for the lease of a key.
enum class Grant : std::uint8_t {
  kUnknown,  // no usable answer: nobody is kept from computing the value
  kGranted,
  kHeld,    // by someone else
  kStored,  // granted, but there is a value by now
};

// A lease to be taken: whose it is and how long it lasts unless given up.
struct LeaseTerms {
  std::string_view token = {};  // random, the owner's own
  base::Millis length{5'000};
  bool unless_stored = true;  // look whether there is a value by now
};

// A wait for leases that others hold. Used by one thread at a time.
class LeaseWait {
 public:
  LeaseWait() = default;
  virtual ~LeaseWait() = default;
  LeaseWait(const LeaseWait&) = delete;
  LeaseWait& operator=(const LeaseWait&) = delete;

  // True when one of the leases, or its key, may have changed, or nothing can be learnt of them;
  // false when `most` passed first.
  [[nodiscard]] virtual bool changed(base::Millis most) noexcept = 0;
  // False when changed(0) would only return false.
  [[nodiscard]] virtual bool due() noexcept = 0;
};

// Who computes the value of a key, over all processes: the one that holds its lease. A lease is
// given up when the value is stored or its computation failed, and runs out when its holder died
// or takes longer; so it spares computations and promises nothing. Thread-safe.
class Leases {
 public:
  Leases() = default;
  virtual ~Leases() = default;
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;

  // Requires: grants.size() == keys.size().
  virtual void take(std::span<const std::string_view> keys, const LeaseTerms& terms,
                    std::span<Grant> grants) noexcept = 0;
  // Those that still bear the token.
  virtual void give_up(std::span<const std::string_view> keys, std::string_view token) noexcept = 0;
  // `keys` outlive the wait, and so do the leases.
  [[nodiscard]] virtual std::unique_ptr<LeaseWait> watch(
      std::span<const std::string_view> keys) = 0;
};

// Where no tier is shared: every grant is kUnknown.
[[nodiscard]] Leases& no_leases() noexcept;

}  // namespace vcache::l2
