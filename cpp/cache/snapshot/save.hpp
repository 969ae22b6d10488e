#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cache/snapshot/file.hpp"
#include "cache/tiered_cache.hpp"
#include "l2/codec/keyring.hpp"

namespace vcache::cache::snapshot {

// What a snapshot has come to.
struct Saved {
  Failure failure = {};
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of the file
  std::uint64_t gone = 0;   // left memory, or ended, before their turn came
};

// Writes what memory holds to a file, hottest first, each entry as it is when its turn comes.
// Beside its chunk it holds 16 bytes for each entry, and a copy of what the policy of one shard
// knows; no lock during I/O. With keys, values are encrypted as in Redis. Throws std::bad_alloc,
// having left what was there.
[[nodiscard]] Saved save(TieredCache& cache, const base::Clock& clock, const std::string& path,
                         std::shared_ptr<const l2::codec::Keyring> keys);

}  // namespace vcache::cache::snapshot
