#include "cache/options.hpp"

#include <algorithm>
#include <string_view>

namespace vcache::cache {

namespace {

constexpr std::size_t kMaxName = 64;

base::Error invalid(std::string detail) { return {base::ErrorCode::kInvalid, std::move(detail)}; }

bool is_name_char(char c) {
  const std::string_view punctuation = "_.-";
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         punctuation.find(c) != std::string_view::npos;
}

}  // namespace

Ttl AdaptiveTtl::longest() const noexcept {
  if (!ttl || !warm_ttl || !hot_ttl) return std::nullopt;
  return std::max({*ttl, *warm_ttl, *hot_ttl});
}

base::Error AdaptiveTtl::validate() const {
  const std::uint32_t most = l1::DailyReads::kMost;
  if (memory.hot_hits >= most || hot_reads >= most) {
    return invalid("adaptive_ttl: allowed are fewer than " + std::to_string(most) + " reads");
  }
  if (memory.cold_hits > memory.hot_hits + 1 || warm_reads > hot_reads) {
    return invalid("adaptive_ttl: allowed is no more for the colder than for the hotter");
  }
  return {};
}

base::Error CacheOptions::validate() const {
  if (name.empty() || name.size() > kMaxName || !std::ranges::all_of(name, is_name_char)) {
    return invalid("namespace='" + name + "': allowed are 1 to 64 of A-Z a-z 0-9 _ . -");
  }
  if (!(jitter >= 0 && jitter < 1)) {
    return invalid("jitter=" + std::to_string(jitter) + ": allowed is 0 <= jitter < 1");
  }
  if (grace < base::Nanos{0}) return invalid("grace: allowed are 0 seconds or more");
  if (max_value == 0) return invalid("max_value=0: allowed is at least 1 byte");
  if (promotion_threshold < 1 || promotion_threshold > RedisHits::kMost) {
    return invalid("promotion_threshold=" + std::to_string(promotion_threshold) +
                   ": allowed is a whole number from 1 to " + std::to_string(RedisHits::kMost));
  }
  if (admit && admit->hits >= RedisHits::kMost) {
    return invalid("admit.hits=" + std::to_string(admit->hits) +
                   ": allowed is a whole number from 0 to " + std::to_string(RedisHits::kMost - 1));
  }
  if (adaptive_ttl) {
    if (base::Error error = adaptive_ttl->validate(); !error.ok()) return error;
  }
  if (base::Error error = memory.validate(); !error.ok()) return error;
  return access_log.validate();
}

}  // namespace vcache::cache
