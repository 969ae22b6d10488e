#include "l2/codec/decoder.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "l2/codec/checksum.hpp"
#include "l2/codec/format.hpp"
#include "l2/codec/rules.hpp"

namespace vcache::l2::codec {

namespace {

// A header's fields, read without trust.
class Header {
 public:
  // Requires: bytes.size() >= kHeaderSize.
  explicit Header(base::ByteView bytes) noexcept : bytes_(bytes) {}

  template <class T>
  [[nodiscard]] T get(std::size_t at) const noexcept {
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }
  [[nodiscard]] bool is_for(const Fingerprint& expected) const noexcept {
    return std::memcmp(bytes_.data() + offset::kFingerprint, expected.data(), expected.size()) == 0;
  }
  [[nodiscard]] bool reserved_is_zero() const noexcept {
    return get<std::uint8_t>(offset::kFlags) == 0 && zero(offset::kReserved1, 3) &&
           zero(offset::kReserved2, 4);
  }
  // True when bytes [at, at + size) are 0.
  [[nodiscard]] bool zero(std::size_t at, std::size_t size) const noexcept {
    return std::ranges::all_of(bytes_.subspan(at, size),
                               [](std::byte b) { return b == std::byte{0}; });
  }
  [[nodiscard]] base::Shape shape() const noexcept {
    base::Shape shape;
    std::memcpy(shape.dims.data(), bytes_.data() + offset::kShape, sizeof shape.dims);
    shape.ndim = get<std::uint8_t>(offset::kNdim);
    return shape;
  }

 private:
  base::ByteView bytes_;
};

DecodeResult refuse(Refusal refusal) noexcept { return {.refusal = refusal}; }

// Magic, length of the header, version.
Refusal check_frame(base::ByteView bytes) noexcept {
  const std::size_t shown = std::min(bytes.size(), kMagic.size());
  if (shown != 0 && std::memcmp(bytes.data(), kMagic.data(), shown) != 0) return Refusal::kForeign;
  if (bytes.size() < kHeaderSize) return Refusal::kCorrupt;
  const auto version = Header(bytes).get<std::uint8_t>(offset::kVersion);
  if (version > kVersion) return Refusal::kVersion;
  return version == kVersion ? Refusal::kNone : Refusal::kCorrupt;
}

// Lengths against what was received and against the limits, then the checksum.
Refusal check_body(base::ByteView bytes, const Limits& limits) noexcept {
  const Header header(bytes);
  const std::size_t metadata = header.get<std::uint32_t>(offset::kMetadataLength);
  const std::size_t payload = header.get<std::uint32_t>(offset::kPayloadLength);
  if (payload_offset(metadata) + payload != bytes.size()) return Refusal::kCorrupt;
  if (metadata > base::kMaxMetadataBytes || payload > limits.max_value) return Refusal::kTooBig;
  const auto stated = header.get<std::uint64_t>(offset::kChecksum);
  return stated == checksum(bytes) ? Refusal::kNone : Refusal::kCorrupt;
}

// To the bit, so that -0 is none.
bool is_cost(float value) noexcept {
  return std::bit_cast<std::uint32_t>(value) == std::bit_cast<std::uint32_t>(storable(value));
}

bool check_fields(base::ByteView bytes, const DecodeResult& result) noexcept {
  const Header header(bytes);
  const base::ValueView& value = result.value;
  const std::size_t metadata_end = kHeaderSize + value.metadata.size();
  const std::size_t padding = bytes.size() - value.payload.size() - metadata_end;
  return header.reserved_is_zero() && header.zero(metadata_end, padding) && consistent(value) &&
         is_cost(value.cost) && is_cost(value.seconds) && result.created.count() >= 0 &&
         result.expires.count() >= 0;
}

base::ValueView read_value(base::ByteView bytes) noexcept {
  const Header header(bytes);
  const std::size_t metadata = header.get<std::uint32_t>(offset::kMetadataLength);
  return {.kind = header.get<base::ValueKind>(offset::kKind),
          .dtype = header.get<base::DType>(offset::kDType),
          .shape = header.shape(),
          .payload = bytes.subspan(payload_offset(metadata)),
          .metadata = bytes.subspan(kHeaderSize, metadata),
          .cost = header.get<float>(offset::kCost),
          .seconds = header.get<float>(offset::kSeconds)};
}

DecodeResult read_stamps(base::ByteView bytes) noexcept {
  const Header header(bytes);
  return {.created = base::Millis(header.get<std::int64_t>(offset::kCreated)),
          .expires = base::Millis(header.get<std::int64_t>(offset::kExpires)),
          .generation = header.get<std::uint64_t>(offset::kStamp)};
}

}  // namespace

DecodeResult decode(base::ByteView bytes, const Fingerprint& expected,
                    const Limits& limits) noexcept {
  if (const Refusal refusal = check_frame(bytes); refusal != Refusal::kNone) return refuse(refusal);
  if (const Refusal refusal = check_body(bytes, limits); refusal != Refusal::kNone) {
    return refuse(refusal);
  }
  if (!Header(bytes).is_for(expected)) return refuse(Refusal::kMismatch);
  DecodeResult result = read_stamps(bytes);
  result.value = read_value(bytes);
  if (!check_fields(bytes, result)) return refuse(Refusal::kCorrupt);
  return result;
}

DecodeResult decode_header(base::ByteView bytes, const Fingerprint& expected) noexcept {
  if (const Refusal refusal = check_frame(bytes); refusal != Refusal::kNone) return refuse(refusal);
  const Header header(bytes);
  if (!header.is_for(expected)) return refuse(Refusal::kMismatch);
  if (!header.reserved_is_zero()) return refuse(Refusal::kCorrupt);
  return read_stamps(bytes);
}

}  // namespace vcache::l2::codec
