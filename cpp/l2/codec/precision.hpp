#pragma once

#include <cstddef>
#include <span>

#include "base/value.hpp"
#include "l2/codec/packing.hpp"

namespace vcache::l2::codec {

// Bytes that `size` bytes of float32 take when stored with that precision.
[[nodiscard]] std::size_t rounded_size(Precision precision, std::size_t size) noexcept;

// Stores float32 elements with less precision: as IEEE float16, rounded to nearest, ties to even;
// or as int8 multiples of a float32 scale, the greatest magnitude over 127, which lies in front.
// False when that cannot hold them: an element that is NaN, infinite or rounds to infinity, or, as
// int8, a scale that is no normal number (nor 0, of a vector of zeros). `out` is then to be
// forgotten. Requires: precision is not kAsIs, out.size() == rounded_size(precision,
// floats.size()).
[[nodiscard]] bool round(Precision precision, base::ByteView floats,
                         std::span<std::byte> out) noexcept;

// Fills `floats` with what round() stored. False when no round() stored `in`. Requires: precision
// is not kAsIs, in.size() == rounded_size(precision, floats.size()).
[[nodiscard]] bool widen(Precision precision, base::ByteView in,
                         std::span<std::byte> floats) noexcept;

}  // namespace vcache::l2::codec
