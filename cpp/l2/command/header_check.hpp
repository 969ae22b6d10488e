#pragma once

#include <cstdint>
#include <string_view>

#include "l2/client/reply.hpp"
#include "l2/client/request.hpp"
#include "l2/codec/decoder.hpp"
#include "l2/command/context.hpp"
#include "l2/l2.hpp"

namespace vcache::l2::command {

// Asks for the header of a stored value, without its payload.
void append_header(client::Request& request, const Context& context, std::string_view key);

// Whether an entry that Redis keeps for its grace is past its expiry. Of others Redis itself
// decides.
[[nodiscard]] bool has_expired(const codec::DecodeResult& result, base::Millis now) noexcept;

// Whether the value of such a header has tags: it may be over, whatever the header says.
[[nodiscard]] bool has_tags(const client::ReplyPart& part) noexcept;

// kHit: a header of ours, for this key, of `generation`, of a value that is encrypted if and only
// if we do that; kExpired: of another generation, or past its expiry; else kMiss. Requires: `part`
// is not an error.
[[nodiscard]] Outcome judge_header(const client::ReplyPart& part, const Context& context,
                                   std::string_view key, std::uint64_t generation) noexcept;

}  // namespace vcache::l2::command
