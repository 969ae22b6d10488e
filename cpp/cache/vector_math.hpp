#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/hash.hpp"
#include "base/result.hpp"

namespace vcache::cache {

// Digest of a query vector that does not depend on its element type: equal shapes and equal
// values, after rounding to `precision` decimals where given, have equal digests; -0.0 equals 0.0.
// kInvalid for a NaN or an infinity, naming its place.
[[nodiscard]] base::Result<base::Digest128> digest_vector(std::span<const double> values,
                                                          std::span<const std::size_t> shape,
                                                          std::optional<int> precision);

// The longest row of which digest_row() says something.
inline constexpr std::size_t kMaxQuickRow = 4096;

// The same of a vector of one dimension, several times as fast: nothing for a row that is longer,
// has a number that is not finite, or large ones.
[[nodiscard]] std::optional<base::Digest128> digest_row(std::span<const float> row,
                                                        std::optional<int> precision);
[[nodiscard]] std::optional<base::Digest128> digest_row(std::span<const double> row,
                                                        std::optional<int> precision);

// Scales each row of `width` to Euclidean length 1; rows of zeros stay.
void normalize_rows(std::span<float> matrix, std::size_t width);

}  // namespace vcache::cache
