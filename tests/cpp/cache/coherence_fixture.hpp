#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "cache/tiered_cache.hpp"
#include "support/map_l2.hpp"

namespace vcache::cache {

inline constexpr Lifetimes kLifetimes{.ttl = std::chrono::seconds(100),
                                      .memory_ttl = std::chrono::seconds(50)};

inline CacheOptions cache_options() {
  CacheOptions options{
      .name = "ns", .ttl = kLifetimes.ttl, .memory_ttl = kLifetimes.memory_ttl, .jitter = 0};
  options.memory = {.bytes = 1 << 20, .seed = 3};
  return options;
}

inline void put(TieredCache& cache, std::string_view key, std::uint64_t version) {
  const base::ValueView value{.payload = std::as_bytes(std::span(&version, 1))};
  (void)cache.put(key, value, kLifetimes);
}

// As Python's get: memory, then Redis.
inline Located get(TieredCache& cache, std::string_view key) {
  Located located{.entry = cache.find_memory(key), .tier = Tier::kMemory};
  if (!located.entry) {
    located.entry = cache.find_unverified(key);
    located.stale = static_cast<bool>(located.entry);
  }
  if (located.entry) return located;
  located.tier = Tier::kNone;
  (void)cache.find_redis(key, located);
  return located;
}

inline std::uint64_t version_of(const Located& located) {
  std::uint64_t version = 0;
  if (located.entry) std::memcpy(&version, located.entry->payload().data(), sizeof version);
  return version;
}

inline std::uint64_t read(TieredCache& cache, std::string_view key) {
  return version_of(get(cache, key));
}

// A cache whose tier beyond memory does what the test says, and tells it so.
class CoherenceTest : public ::testing::Test {
 protected:
  CoherenceTest()
      : cache_(
            cache_options(),
            [this](l2::Listener& listener) {
              listener_ = &listener;
              auto redis = std::make_unique<testing::MapL2>();
              redis_ = redis.get();
              return redis;
            },
            true, clock_) {}

  // What another process does.
  void write_elsewhere(std::string_view key, std::uint64_t version) {
    const l2::Write write{.key = key, .value = {.payload = std::as_bytes(std::span(&version, 1))}};
    redis_->write(write);
  }
  void push(std::string_view key) { listener_->on_keys_changed({&key, 1}); }

  base::ManualClock clock_{std::chrono::seconds(1000)};
  testing::MapL2* redis_ = nullptr;
  l2::Listener* listener_ = nullptr;
  TieredCache cache_;
};

}  // namespace vcache::cache
