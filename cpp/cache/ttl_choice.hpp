#pragma once

#include <optional>
#include <string_view>

#include "cache/lifetimes.hpp"
#include "l1/l1_cache.hpp"

namespace vcache::cache {

// Lifetimes as the options of a cache and the use of a key have them, spread. Thread-safe. The
// references outlive it.
class TtlChoice {
 public:
  TtlChoice(const CacheOptions& options, const l1::L1Cache& memory, Jitter& jitter) noexcept
      : options_(options), memory_(memory), jitter_(jitter) {}

  // Of one key that is written.
  [[nodiscard]] Lifetimes operator()(std::string_view key, const Lifetimes& lifetimes) const {
    return jitter_(by_use(key, lifetimes));
  }
  // Of a key that Redis has for so long; negative: for good.
  [[nodiscard]] Lifetimes promoted(std::string_view key, base::Millis remaining) const {
    return (*this)(key, {.ttl = remaining < base::Millis{0} ? Ttl() : Ttl(remaining),
                         .memory_ttl = options_.memory_ttl,
                         .memory_ttl_by_use = options_.adaptive_ttl.has_value()});
  }
  // The same without the spread.
  [[nodiscard]] Lifetimes by_use(std::string_view key, const Lifetimes& lifetimes) const {
    const bool may_choose = lifetimes.ttl_by_use || lifetimes.memory_ttl_by_use;
    if (!may_choose || !options_.adaptive_ttl) return plain(lifetimes);
    return chosen(lifetimes, *options_.adaptive_ttl, memory_.reads_of(key));
  }
  // The longest that Redis keeps any of these.
  [[nodiscard]] Ttl longest(const Lifetimes& lifetimes) const noexcept {
    const bool may_choose = lifetimes.ttl_by_use && options_.adaptive_ttl;
    return may_choose ? options_.adaptive_ttl->longest() : lifetimes.ttl;
  }

 private:
  [[nodiscard]] static Lifetimes plain(Lifetimes lifetimes) noexcept {
    lifetimes.ttl_by_use = lifetimes.memory_ttl_by_use = false;
    return lifetimes;
  }

  const CacheOptions& options_;
  const l1::L1Cache& memory_;
  Jitter& jitter_;
};

}  // namespace vcache::cache
