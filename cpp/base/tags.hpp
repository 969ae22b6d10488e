#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.hpp"

namespace vcache::base {

inline constexpr std::size_t kMaxTags = 64;  // of one value
inline constexpr std::size_t kMaxTagBytes = 256;

// When a value with tags was made, or rather a moment by which its making had not begun: an
// invalidation of one of its tags from then on ends it.
struct Moment {
  static constexpr std::uint64_t kElsewhere = UINT64_MAX;  // it was not made by this process

  std::uint64_t here = 0;    // in steps of this process' invalidations
  std::uint64_t shared = 0;  // by the stamp of the shared tier; 0: not known
};

// A tag, and the stamp of its last invalidation in the shared tier; 0: it has none any more.
struct TagStamp {
  std::string_view tag;
  std::uint64_t stamp = 0;
};

// Tags are kept as one run of bytes: of each its length, a little-endian u16, and then its own
// bytes. Requires: no more than kMaxTags, each of 1 to kMaxTagBytes bytes.
[[nodiscard]] std::string encode_tags(std::span<const std::string_view> tags);
// True for bytes that encode_tags() made, or could have made.
[[nodiscard]] bool are_tags(ByteView bytes) noexcept;
// The first of such tags, which are cut off. Requires: are_tags(bytes), bytes is not empty.
[[nodiscard]] std::string_view take_tag(ByteView& bytes) noexcept;
// Views into `bytes`. Requires: are_tags(bytes).
[[nodiscard]] std::vector<std::string_view> decode_tags(ByteView bytes);

}  // namespace vcache::base
