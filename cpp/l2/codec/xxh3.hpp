#pragma once

#include <cstddef>
#include <cstdint>

namespace vcache::l2::codec {

// XXH3-64 for one instruction set. All of them compute the same.
struct Xxh3 {
  std::uint64_t (*whole)(const void* data, std::size_t size, std::uint64_t seed) noexcept;
  // Of two pieces as if they lay behind each other.
  std::uint64_t (*pieces)(const void* first, std::size_t first_size, const void* second,
                          std::size_t second_size, std::uint64_t seed) noexcept;
};

[[nodiscard]] const Xxh3& baseline_xxh3() noexcept;
// The baseline's where the compiler has no AVX2. Requires: the processor has AVX2.
[[nodiscard]] const Xxh3& avx2_xxh3() noexcept;

}  // namespace vcache::l2::codec
