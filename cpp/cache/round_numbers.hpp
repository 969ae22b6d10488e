#pragma once

#include <cstddef>

namespace vcache::cache {

inline constexpr int kMaxPrecision = 15;

// out[i] is in[i] rounded to `precision` decimals, as digest_vector() has it. False where that
// cannot be said quickly, of `out` nothing then: a number is not finite, or large. Built without
// contraction of floating-point operations: all variants give the same bits.
// Requires: 0 <= precision <= kMaxPrecision.
[[nodiscard]] bool round_numbers(const float* in, std::size_t count, int precision,
                                 double* out) noexcept;
[[nodiscard]] bool round_numbers(const double* in, std::size_t count, int precision,
                                 double* out) noexcept;

}  // namespace vcache::cache
