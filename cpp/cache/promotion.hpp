#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "cache/admission.hpp"
#include "cache/counters.hpp"
#include "cache/fill_guard.hpp"
#include "cache/located.hpp"
#include "cache/ttl_choice.hpp"
#include "l1/l1_cache.hpp"
#include "l2/l2.hpp"

namespace vcache::cache {

// Puts what L2 answers to one fetch into memory and into the caller's places. A key that somebody
// wrote to since the fetch began keeps what memory has; the reader gets what Redis had. So
// does the reader of a value that the admission keeps out, and memory keeps no unverified copy of
// its key. Where Redis gives no answer, the reader gets what memory has unverified.
class Promotion final : public l2::FetchSink {
 public:
  // Where values are promoted to.
  struct Target {
    l1::L1Cache& memory;
    const FillGuard& fills;
    Admission& admission;
    const TtlChoice& ttls;
    Stale stale = Stale::kUnanswered;
  };

  // The answer to keys[i] goes to out[places[i]].
  Promotion(const Target& target, std::span<const std::string_view> keys,
            std::span<const std::uint32_t> places, std::span<Located> out) noexcept
      : target_(target),
        keys_(keys),
        places_(places),
        out_(out),
        token_(target.fills.begin_fill()),
        began_(target.memory.tags().now()) {}

  void on_value(std::size_t index, const l2::StoredValue& stored) noexcept override;
  void on_absent(std::size_t index, l2::Outcome outcome) noexcept override;

  // True when a key that Redis gave no answer for was not in memory either.
  [[nodiscard]] bool unanswered() const noexcept { return unanswered_; }
  // Of the keys that got no value, and of the values that did not enter memory.
  [[nodiscard]] const Tally& tally() const noexcept { return tally_; }

 private:
  void take_back(std::size_t index) noexcept;
  void promote(std::size_t index, const l2::StoredValue& stored);
  // Hands over an expired value if the caller takes one. Memory keeps its own.
  void hand_stale(std::size_t index, const l2::StoredValue& stored);
  // When a value was made: before its fetch began, if not by this process.
  [[nodiscard]] base::Moment made(const l2::StoredValue& stored) const noexcept {
    return {.here = std::min(stored.made.here, began_), .shared = stored.made.shared};
  }
  [[nodiscard]] l1::Identity identity_of(std::string_view key, const l2::StoredValue& stored,
                                         const Lifetimes& lifetimes) const;

  const Target target_;
  const std::span<const std::string_view> keys_;
  const std::span<const std::uint32_t> places_;
  const std::span<Located> out_;
  const FillGuard::Token token_;
  const std::uint64_t began_;  // in steps of invalidations of tags
  Tally tally_;
  bool unanswered_ = false;
};

}  // namespace vcache::cache
