#pragma once

#include <string>
#include <string_view>

namespace vcache::base {

// Whether `text` is one that Redis' MATCH takes `pattern` for: `*` any bytes, `?` one byte,
// `[a-c]`, `[^a]` one of a set or none of it (bytes in ranges are compared as signed, as a Redis
// on x86 does), `\` the next byte as it is. Takes time of the order
// of the product of both lengths.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text) noexcept;

// The pattern that takes what begins with `prefix`. Throws std::bad_alloc.
[[nodiscard]] std::string glob_of_prefix(std::string_view prefix);

}  // namespace vcache::base
