#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/value.hpp"
#include "cache/options.hpp"
#include "cache/redis_hits.hpp"

namespace vcache::cache {

// Which values enter memory, where there is a tier beyond it that has them all. Thread-safe.
class Admission {
 public:
  Admission(const CacheOptions& options, std::uint64_t seed);

  // Counts a hit in Redis; whether its value enters memory now.
  [[nodiscard]] bool promotes(std::string_view key, const base::ValueView& value) noexcept {
    if (hits_ == nullptr) return true;
    const std::uint32_t hits = hits_->add(key);
    return hits >= threshold_ && is_allowed(value, hits);
  }
  // Whether a value that is written enters memory.
  [[nodiscard]] bool admits(std::string_view key, const base::ValueView& value) const noexcept {
    return !rule_ || is_allowed(value, hits_->count(key));
  }

 private:
  [[nodiscard]] bool is_allowed(const base::ValueView& value, std::uint32_t hits) const noexcept {
    return !rule_ || value.payload.size() <= rule_->bytes || hits > rule_->hits;
  }

  // Constant after construction.
  const std::uint32_t threshold_;
  const std::optional<SmallOrHot> rule_;
  // Own synchronization.
  const std::unique_ptr<RedisHits> hits_;  // null where every value enters at its first hit
};

}  // namespace vcache::cache
