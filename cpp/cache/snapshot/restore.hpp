#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cache/snapshot/file.hpp"
#include "cache/tiered_cache.hpp"
#include "l2/codec/keyring.hpp"

namespace vcache::cache::snapshot {

// What a restoration has come to.
struct Loaded {
  // Nothing was restored, but for a signal, which ends it where it is.
  Failure failure = {};
  // Where the file is damaged or cut, and how: what lies before was restored. Empty: it is whole.
  std::string damage = {};
  std::uint64_t entries = 0;     // that are in memory now
  std::uint64_t bytes = 0;       // of their values
  std::uint64_t confirmed = 0;   // of them, by Redis, whose values they have
  std::uint64_t unverified = 0;  // of them, kept though Redis gave no answer
  std::uint64_t expired = 0;
  std::uint64_t newer = 0;        // memory had one that was made no earlier
  std::uint64_t no_room = 0;      // at least: what lies behind in the file is not read
  std::uint64_t gone = 0;         // Redis has no such value any more, or it was invalidated
  std::uint64_t unconfirmed = 0;  // Redis gave no answer, and they were not kept
};

// Takes over what a snapshot holds, hottest first, while there is room. With Redis it is the keys
// that count: their values are fetched and enter memory as those of any read do, with lifetimes of
// their own, so that nothing is served that was changed while the file lay there.
// `keep_unconfirmed`: of keys that Redis gives no answer for the file's values are kept,
// unverified. No lock is held during I/O. Throws std::bad_alloc, having restored some.
[[nodiscard]] Loaded restore(TieredCache& cache, const base::Clock& clock, const std::string& path,
                             std::shared_ptr<const l2::codec::Keyring> keys, bool keep_unconfirmed);

}  // namespace vcache::cache::snapshot
