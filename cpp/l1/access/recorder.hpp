#pragma once

#include <cstdint>
#include <string_view>

#include "l1/access/access_log.hpp"
#include "l1/entry.hpp"

namespace vcache::l1 {

// Puts look-ups of the keys of one shard into a log. Requires: the shard's lock.
class Recorder {
 public:
  Recorder(AccessLog& log, std::size_t shard) noexcept : log_(log), ring_(log.ring(shard)) {}

  void add_hit(std::string_view key, const Entry& entry, std::int64_t now) const noexcept {
    add(key, {.time = now,
              .size = static_cast<std::uint32_t>(entry.block_bytes()),
              .cost = entry.costs().cost,
              .group = entry.group,
              .tier = AnsweredBy::kMemory});
  }
  // `access` has no key yet.
  void add(std::string_view key, Access access) const noexcept {
    access.key = log_.hash_of(key);
    ring_.push(access);
  }

 private:
  const AccessLog& log_;
  AccessRing& ring_;
};

}  // namespace vcache::l1
