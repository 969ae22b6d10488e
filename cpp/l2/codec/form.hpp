#pragma once

#include <cstddef>
#include <cstdint>

#include "base/value.hpp"
#include "l2/codec/format.hpp"
#include "l2/codec/packing.hpp"

namespace vcache::l2::codec {

// How a payload is stored.
struct Form {
  std::uint8_t flags = 0;
  std::uint32_t length = 0;    // of the payload as it is stored, before encryption
  std::uint32_t original = 0;  // of the payload as it was set; 0 where that is `length`

  [[nodiscard]] bool compressed() const noexcept { return (flags & flag::kZstd) != 0; }
  [[nodiscard]] bool has_tags() const noexcept { return (flags & flag::kTags) != 0; }
  [[nodiscard]] bool encrypted() const noexcept { return (flags & flag::kEncrypted) != 0; }
  [[nodiscard]] Precision precision() const noexcept {
    return static_cast<Precision>((flags & flag::kPrecision) >> flag::kPrecisionShift);
  }
  // True when `length` is not that of the payload as it was set.
  [[nodiscard]] bool changed() const noexcept { return compressed() || rounded(); }
  [[nodiscard]] bool rounded() const noexcept { return precision() != Precision::kAsIs; }
  // Where the payload begins. It is aligned where readers take it as it lies.
  // `extras`: bytes of metadata and tags.
  [[nodiscard]] std::size_t payload_offset(std::size_t extras) const noexcept {
    return changed() || encrypted() ? kHeaderSize + extras : codec::payload_offset(extras);
  }
  // Bytes of the payload as it was set.
  [[nodiscard]] std::size_t full_size() const noexcept { return changed() ? original : length; }
  // Bytes of the payload before it was compressed.
  [[nodiscard]] std::size_t plain_size() const noexcept;
};

// True when this version knows all that the flags say.
[[nodiscard]] bool is_known(const Form& form) noexcept;

// True when the lengths fit the flags, and the flags a value of this kind and type.
[[nodiscard]] bool consistent(const Form& form, const base::ValueView& value) noexcept;

}  // namespace vcache::l2::codec
