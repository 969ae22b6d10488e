#pragma once

#include <string_view>

namespace vcache::metrics {

// True for UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F).
[[nodiscard]] bool is_plain_text(std::string_view text) noexcept;

}  // namespace vcache::metrics
