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

  // The next place in the order of all accesses, and those after it.
  [[nodiscard]] std::uint32_t take_places(std::size_t count) const noexcept {
    return log_.take_places(count);
  }
  void add_hit(std::string_view key, const Entry& entry, std::int64_t now,
               std::uint32_t place) const noexcept {
    ring_.push({.time = now,
                .key = log_.hash_of(key),
                .size = static_cast<std::uint32_t>(entry.block_bytes()),
                .cost = entry.costs().cost,
                .order = place,
                .group = entry.group,
                .tier = AnsweredBy::kMemory});
  }
  // `access` has neither key nor place yet.
  void add(std::string_view key, Access access) const noexcept {
    access.key = log_.hash_of(key);
    access.order = take_places(1);
    ring_.push(access);
  }

 private:
  AccessLog& log_;
  AccessRing& ring_;
};

}  // namespace vcache::l1
