#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace vcache::base {

using ByteView = std::span<const std::byte>;

// What a payload is. The numbers are part of the wire format.
enum class ValueKind : std::uint8_t {
  kObject = 0,  // MessagePack
  kVector = 1,  // elements of `DType`, C order, little-endian
};

// Element type of a vector. The numbers are part of the wire format.
enum class DType : std::uint8_t {
  kNone = 0,
  kFloat32 = 1,
  kFloat16 = 2,
  kFloat64 = 3,
  kInt8 = 4,
  kUint8 = 5,
  kInt32 = 6,
  kInt64 = 7,
};
inline constexpr std::uint8_t kLastDType = 7;

// Bytes of one element; 0 for kNone.
[[nodiscard]] constexpr std::size_t item_size(DType dtype) noexcept {
  constexpr std::array<std::size_t, kLastDType + 1> kSizes = {0, 4, 2, 8, 1, 1, 4, 8};
  return kSizes[static_cast<std::size_t>(dtype)];
}

inline constexpr std::size_t kMaxNdim = 4;

// Extents of a vector value of 0 to 4 dimensions; unused ones are 0.
struct Shape {
  std::array<std::uint32_t, kMaxNdim> dims{};
  std::uint8_t ndim = 0;

  bool operator==(const Shape&) const = default;
};

// A value borrowed from its owner: a NumPy buffer, an L1 entry or a reply buffer.
struct ValueView {
  ValueKind kind = ValueKind::kObject;
  DType dtype = DType::kNone;
  Shape shape{};
  ByteView payload{};
  ByteView metadata{};  // MessagePack map, empty when there is none
  ByteView tags{};      // as encode_tags() makes them, empty when there are none
  float cost = 0;       // what a miss costs, in the caller's unit
  float seconds = 0;    // measured time of the computation
};

inline constexpr std::size_t kMaxKeyBytes = 1024;
inline constexpr std::size_t kMaxMetadataBytes = 64 * 1024;

}  // namespace vcache::base
