#include "l2/codec/rules.hpp"

#include <cmath>
#include <cstdint>

namespace vcache::l2::codec {

namespace {

bool unused_extents_are_zero(const base::Shape& shape) noexcept {
  for (std::size_t i = shape.ndim; i < shape.dims.size(); ++i) {
    if (shape.dims[i] != 0) return false;
  }
  return true;
}

// item_size × the extents == bytes, without overflow. No extent may be 0.
bool fills(const base::Shape& shape, std::size_t item_size, std::size_t bytes) noexcept {
  std::uint64_t product = item_size;
  for (std::size_t i = 0; i < shape.ndim; ++i) {
    product *= shape.dims[i];  // at most `bytes` × 2^32 before the test below
    if (product == 0 || product > bytes) return false;
  }
  return product == bytes;
}

}  // namespace

bool consistent(const base::ValueView& value) noexcept {
  return consistent(value, value.payload.size());
}

bool consistent(const base::ValueView& value, std::size_t bytes) noexcept {
  if (bytes > UINT32_MAX || value.shape.ndim > base::kMaxNdim ||
      !unused_extents_are_zero(value.shape)) {
    return false;
  }
  if (value.kind == base::ValueKind::kObject) {
    return value.dtype == base::DType::kNone && value.shape.ndim == 0;
  }
  return value.kind == base::ValueKind::kVector && value.dtype != base::DType::kNone &&
         static_cast<std::uint8_t>(value.dtype) <= base::kLastDType &&
         fills(value.shape, base::item_size(value.dtype), bytes);
}

float storable(float cost) noexcept {
  if (!std::isfinite(cost) || !(cost > 0)) return 0;
  return cost;
}

}  // namespace vcache::l2::codec
