#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace vcache::predictor {

inline constexpr std::size_t kMaxModelBytes = std::size_t{64} << 20;

// SHA-256 in lower-case hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view data);

// The bytes of a model, read once: whoever checks them and whoever loads them see the same ones.
// `path` must name a regular file of 1 to kMaxModelBytes. `sha256`, where not empty, must be the
// digest of the bytes; without it, a file that any user may write is refused.
[[nodiscard]] base::Result<std::string> read_model(const std::string& path,
                                                   std::string_view sha256);

}  // namespace vcache::predictor
