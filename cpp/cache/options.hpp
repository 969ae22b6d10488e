#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "cache/redis_hits.hpp"
#include "l1/access/access_log.hpp"
#include "l1/l1_cache.hpp"

namespace vcache::cache {

// A lifetime; none: no expiry.
using Ttl = std::optional<base::Nanos>;

// What enters memory: payloads of at most `bytes`, and what was hit in Redis more than `hits`
// times.
struct SmallOrHot {
  std::size_t bytes = 100;
  std::uint32_t hits = 50;
};

struct CacheOptions {
  std::string name = "vcache";  // the namespace
  Ttl ttl = std::chrono::hours(1);
  Ttl memory_ttl = std::chrono::minutes(5);
  base::Nanos grace{0};  // how long expired entries are kept for fail-safe
  double jitter = 0.1;   // TTLs are shortened by up to this share
  std::size_t max_value = std::size_t{16} << 20;
  // At which of its hits in Redis a value enters memory, and which values may at all; none: all.
  std::uint32_t promotion_threshold = 1;
  std::optional<SmallOrHot> admit = {};
  bool metrics = true;  // latency histograms
  l1::L1Options memory = {};
  l1::AccessLogOptions access_log = {};  // without a path look-ups are not recorded

  [[nodiscard]] base::Error validate() const;
};

// Lifetimes of one write.
struct Lifetimes {
  Ttl ttl;
  Ttl memory_ttl;
};

}  // namespace vcache::cache
