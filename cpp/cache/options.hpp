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

// Times to live by how often this process read a key within about a day, where a write says none.
struct AdaptiveTtl {
  l1::TtlByUse memory = {};
  Ttl ttl = std::chrono::days(30);
  Ttl warm_ttl = std::chrono::days(14);  // over `warm_reads`
  Ttl hot_ttl = std::chrono::days(7);    // over `hot_reads`
  std::uint32_t warm_reads = 10;
  std::uint32_t hot_reads = 100;

  // In Redis.
  [[nodiscard]] const Ttl& of(std::uint32_t reads) const noexcept {
    if (reads > hot_reads) return hot_ttl;
    return reads > warm_reads ? warm_ttl : ttl;
  }
  // That in Redis of any number of reads.
  [[nodiscard]] Ttl longest() const noexcept;
  [[nodiscard]] base::Error validate() const;
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
  std::optional<AdaptiveTtl> adaptive_ttl = {};
  bool metrics = true;  // latency histograms
  l1::L1Options memory = {};
  l1::AccessLogOptions access_log = {};  // without a path look-ups are not recorded

  [[nodiscard]] base::Error validate() const;
};

// Lifetimes of one write.
struct Lifetimes {
  Ttl ttl;
  Ttl memory_ttl;
  // Which of them the cache may choose by the use of the key.
  bool ttl_by_use = false;
  bool memory_ttl_by_use = false;
};

}  // namespace vcache::cache
