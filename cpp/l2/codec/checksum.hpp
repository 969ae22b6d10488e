#pragma once

#include <cstdint>

#include "base/value.hpp"

namespace vcache::l2::codec {

// XXH3-64 of `head` from kChecksummed on followed by `payload`, seeded with the first 8 bytes of
// `head` as a u64. Requires: head.size() > kChecksummed.
[[nodiscard]] std::uint64_t checksum(base::ByteView head, base::ByteView payload) noexcept;

// The same for a value that lies in one piece.
[[nodiscard]] std::uint64_t checksum(base::ByteView whole) noexcept;

// The checksum that a stored value bears, right or not. Requires: `head` holds the whole header.
[[nodiscard]] std::uint64_t stored_checksum(base::ByteView head) noexcept;

}  // namespace vcache::l2::codec
