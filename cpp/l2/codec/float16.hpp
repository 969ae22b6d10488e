#pragma once

#include <cstddef>

namespace vcache::l2::codec {

// Conversions between float32 and float16 for one instruction set, of `count` elements that may lie
// at any address. All sets compute the same.
struct Float16 {
  // Rounds to nearest, ties to even. Requires: elements below 65520 in magnitude.
  void (*narrow)(const void* floats, void* halves, std::size_t count) noexcept;
  void (*widen)(const void* halves, void* floats, std::size_t count) noexcept;
};

[[nodiscard]] const Float16& baseline_float16() noexcept;
// Requires: the processor has F16C and AVX.
[[nodiscard]] const Float16& f16c_float16() noexcept;

}  // namespace vcache::l2::codec
