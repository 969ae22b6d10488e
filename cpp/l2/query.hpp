#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "l2/client/reply.hpp"
#include "l2/redis_options.hpp"

namespace vcache::l2 {

// A whole reply. Maps are arrays of keys and values in turn.
struct QueryReply {
  client::ReplyType type = client::ReplyType::kNil;
  std::string text{};  // of strings, statuses and errors
  std::int64_t integer = 0;
  std::vector<QueryReply> elements{};
};

// The replies to commands of the caller's own, sent at once on a connection made for them and
// logged in; for diagnosis. Within connect_timeout and timeout, one after the other.
[[nodiscard]] base::Result<std::vector<QueryReply>> query(
    const RedisOptions& options, std::span<const std::vector<std::string>> commands);

}  // namespace vcache::l2
