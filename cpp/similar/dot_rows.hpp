#pragma once

#include <cstddef>

namespace vcache::similar {

// Rows are padded with zeros to a multiple of this many numbers.
inline constexpr std::size_t kPadding = 64;

[[nodiscard]] constexpr std::size_t padded_width(std::size_t width) noexcept {
  return (width + kPadding - 1) / kPadding * kPadding;
}

// out[i] is the dot product of `query` and row i of `rows`, which lie one behind another.
// Requires: width is a multiple of kPadding.
void dot_rows(const float* rows, std::size_t count, std::size_t width, const float* query,
              float* out) noexcept;

// The same with what every processor of the target has.
void dot_rows_by_baseline(const float* rows, std::size_t count, std::size_t width,
                          const float* query, float* out) noexcept;

}  // namespace vcache::similar
