#pragma once

#include <cstdint>

#include "metrics/group_table.hpp"

namespace vcache::l1 {

// The tier that answered a look-up; kNone: a miss.
enum class AnsweredBy : std::uint8_t { kNone, kMemory, kRedis };

// One look-up of a key, as the access log keeps it. Of a miss, size and cost are 0: unknown.
struct Access {
  std::int64_t time = 0;    // steady nanoseconds in a ring, else milliseconds since the epoch
  std::uint64_t key = 0;    // a hash that is the same in every process
  std::uint32_t size = 0;   // bytes that the entry takes in memory
  float cost = 0;           // of a miss, as stored with the value
  std::uint32_t order = 0;  // among the accesses of a moment; wraps round
  metrics::GroupId group = 0;
  AnsweredBy tier = AnsweredBy::kNone;
};
static_assert(sizeof(Access) == 32);

}  // namespace vcache::l1
