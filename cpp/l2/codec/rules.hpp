#pragma once

#include <cstddef>

#include "base/value.hpp"

namespace vcache::l2::codec {

// True when kind, dtype, shape and payload length fit together: a vector has a dtype and as many
// bytes as its shape says, an object has neither dtype nor shape, unused extents are 0 and used
// ones are not.
[[nodiscard]] bool consistent(const base::ValueView& value) noexcept;
// The same for a payload of `bytes` bytes, wherever it is.
[[nodiscard]] bool consistent(const base::ValueView& value, std::size_t bytes) noexcept;

// A cost as headers hold it: finite and not negative, else 0.
[[nodiscard]] float storable(float cost) noexcept;

}  // namespace vcache::l2::codec
