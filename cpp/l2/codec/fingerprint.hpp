#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vcache::l2::codec {

// Names the entry that a value belongs to: XXH3-128, in canonical byte order, of the namespace and
// the key, each behind its length as a u32. Of more than 64 and kMaxKeyBytes bytes, which no caller
// may use, only that many count.
using Fingerprint = std::array<std::uint8_t, 16>;

[[nodiscard]] Fingerprint fingerprint(std::string_view namespace_name,
                                      std::string_view key) noexcept;

}  // namespace vcache::l2::codec
