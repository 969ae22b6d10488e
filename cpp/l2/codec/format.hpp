#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

// The bytes of a stored value, as FORMAT.md specifies them.
namespace vcache::l2::codec {

static_assert(std::endian::native == std::endian::little, "headers are written as they lie");

inline constexpr std::string_view kMagic = "VCHE";
inline constexpr std::uint8_t kFormatVersion = 1;

inline constexpr std::size_t kHeaderSize = 96;
inline constexpr std::size_t kPayloadAlignment = 64;

// Where each field begins.
namespace offset {
inline constexpr std::size_t kVersion = 4;
inline constexpr std::size_t kKind = 5;
inline constexpr std::size_t kDType = 6;
inline constexpr std::size_t kFlags = 7;
inline constexpr std::size_t kChecksum = 8;
inline constexpr std::size_t kFingerprint = 16;
inline constexpr std::size_t kShape = 32;
inline constexpr std::size_t kNdim = 48;
inline constexpr std::size_t kReserved = 49;  // 1 byte
inline constexpr std::size_t kTagsLength = 50;
inline constexpr std::size_t kMetadataLength = 52;
inline constexpr std::size_t kPayloadLength = 56;
inline constexpr std::size_t kOriginalLength = 60;
inline constexpr std::size_t kCreated = 64;
inline constexpr std::size_t kExpires = 72;
inline constexpr std::size_t kStamp = 80;
inline constexpr std::size_t kCost = 88;
inline constexpr std::size_t kSeconds = 92;
}  // namespace offset

// What the flags say. Bits that no constant names are of a later format.
namespace flag {
// Behind the metadata lie a stamp and tags.
inline constexpr std::uint8_t kTags = 0x01;
inline constexpr std::uint8_t kZstd = 0x02;
inline constexpr std::uint8_t kEncrypted = 0x04;
inline constexpr std::uint8_t kPrecision = 0x18;  // two bits: a Precision
inline constexpr unsigned kPrecisionShift = 3;
// Redis keeps the value past `expires`, for fail-safe: readers go by that field.
inline constexpr std::uint8_t kGrace = 0x20;
inline constexpr std::uint8_t kKnown = kTags | kZstd | kEncrypted | kPrecision | kGrace;
}  // namespace flag

// Comes before the tags: of the moment by which the making of the value had not begun.
inline constexpr std::size_t kTagStampSize = 8;

// What encryption puts between the header and the rest, and behind it.
inline constexpr std::size_t kNonceSize = 24;
inline constexpr std::size_t kPreambleSize = 4 + kNonceSize;  // behind the id of the key
inline constexpr std::size_t kTagSize = 16;
inline constexpr std::size_t kSealSize = kPreambleSize + kTagSize;

// The checksum covers every byte from here on; the bytes before it are its seed.
inline constexpr std::size_t kChecksummed = offset::kFingerprint;

// `extras`: bytes of metadata and tags.
[[nodiscard]] constexpr std::size_t payload_offset(std::size_t extras) noexcept {
  const std::size_t end = kHeaderSize + extras;
  return (end + kPayloadAlignment - 1) / kPayloadAlignment * kPayloadAlignment;
}

}  // namespace vcache::l2::codec
