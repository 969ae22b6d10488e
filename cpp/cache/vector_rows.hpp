#pragma once

#include <cstring>

#include "cache/tiered_cache.hpp"

namespace vcache::cache {

[[nodiscard]] inline std::size_t row_bytes(const VectorRows& rows) noexcept {
  return rows.width * base::item_size(rows.dtype);
}

// True when the entry is a 1-d vector of the rows' element type and width.
[[nodiscard]] inline bool fits(const l1::Entry& entry, const VectorRows& rows) noexcept {
  return entry.kind() == base::ValueKind::kVector && entry.dtype == rows.dtype && entry.ndim == 1 &&
         entry.payload_bytes == row_bytes(rows);
}

[[nodiscard]] inline bool fits(const base::ValueView& value, const VectorRows& rows) noexcept {
  return value.kind == base::ValueKind::kVector && value.dtype == rows.dtype &&
         value.shape.ndim == 1 && value.payload.size() == row_bytes(rows);
}

// Requires: `payload` is that of a value that fits(). Writes row `place` and marks it found.
inline void copy_row(base::ByteView payload, const VectorRows& rows, std::size_t place) noexcept {
  const std::size_t bytes = row_bytes(rows);
  std::memcpy(rows.data + place * bytes, payload.data(), bytes);
  rows.found[place] = true;
}

// Zeroes row `place` and marks it not found.
inline void clear_row(const VectorRows& rows, std::size_t place) noexcept {
  const std::size_t bytes = row_bytes(rows);
  if (bytes != 0) std::memset(rows.data + place * bytes, 0, bytes);
  rows.found[place] = false;
}

}  // namespace vcache::cache
