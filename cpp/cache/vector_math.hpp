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

// Scales each row of `width` to Euclidean length 1; rows of zeros stay.
void normalize_rows(std::span<float> matrix, std::size_t width);

}  // namespace vcache::cache
