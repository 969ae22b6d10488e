#include "cache/admission.hpp"

namespace vcache::cache {

Admission::Admission(const CacheOptions& options, std::uint64_t seed)
    : threshold_(options.promotion_threshold),
      rule_(options.admit),
      hits_(threshold_ > 1 || rule_ ? std::make_unique<RedisHits>(seed) : nullptr) {}

}  // namespace vcache::cache
