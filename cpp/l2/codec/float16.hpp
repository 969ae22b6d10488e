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
// The baseline's where the compiler has no F16C. Requires: has_f16c().
[[nodiscard]] const Float16& f16c_float16() noexcept;

// True when the processor has F16C, and the system keeps its registers.
[[nodiscard]] bool has_f16c() noexcept;

}  // namespace vcache::l2::codec
