#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "bindings/fill_watch.hpp"
#include "bindings/log.hpp"
#include "bindings/python.hpp"
#include "bindings/read_ring.hpp"
#include "cache/tiered_cache.hpp"

namespace vcache::bindings {

// What a Python TieredCache owns.
struct Core {
  Core(cache::CacheOptions options, const cache::TieredCache::MakeL2& make_redis, bool has_redis,
       std::shared_ptr<base::Clock> own_clock, bool strict_mode)
      : clock(std::move(own_clock)),
        cache(std::move(options), make_redis, has_redis, clock ? *clock : base::system_clock()),
        strict(strict_mode) {}

  [[nodiscard]] const base::Clock& clock_in_use() const noexcept {
    return clock ? *clock : base::system_clock();
  }

  const std::shared_ptr<base::Clock> clock;  // null: the system's
  cache::TieredCache cache;
  FillWatch fills;
  ReadRing reads;
  const bool strict;
  // Width of the vectors that were read last from Redis into rows; 0: none yet.
  std::atomic<std::uint32_t> last_width{0};
};

// Logs what there is to tell of the access log.
inline void tell_of_log(Core& core) noexcept {
  l1::AccessLog* log = core.cache.access_log();
  if (log != nullptr && log->has_notice()) log_notice(*log);
}

// The end of a call that may have asked Redis: logs what there is to tell of it, warns once where
// it tells of no changes, raises what the handler of a signal raised and, in strict mode, what
// Redis answered.
inline void raise_if_strict(Core& core, const base::Error& error) {
  if (core.cache.redis().has_news()) log_news(core.cache.redis());
  tell_of_log(core);
  if (core.cache.coherence().take_notice()) warn_of_no_tracking();
  raise_pending();
  if (core.strict && !error.ok()) raise(error);
}

// The end of a call that stored values, and that raises in strict mode what Redis answered: then
// memory is not to have what Redis may not have, and of whose removal nobody would be told.
inline void raise_if_strict(Core& core, const base::Error& error,
                            std::span<const std::string_view> keys) {
  if (core.strict && !error.ok()) core.cache.coherence().on_keys_changed(keys);
  raise_if_strict(core, error);
}

// Records the time since its construction in the cache's histogram; nothing when metrics are off.
class Timer {
 public:
  Timer(Core& core, cache::Operation operation) : core_(core), operation_(operation) {
    if (core.cache.options().metrics) start_ = std::chrono::steady_clock::now();
  }
  void stop(cache::Tier tier) noexcept {
    if (!core_.cache.options().metrics) return;
    const base::Nanos taken = std::chrono::steady_clock::now() - start_;
    core_.cache.counters().record(operation_, tier, static_cast<std::uint64_t>(taken.count()));
  }

 private:
  Core& core_;
  cache::Operation operation_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace vcache::bindings
