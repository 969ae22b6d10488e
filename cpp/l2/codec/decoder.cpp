#include "l2/codec/decoder.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/tags.hpp"
#include "l2/codec/checksum.hpp"
#include "l2/codec/format.hpp"
#include "l2/codec/rules.hpp"

namespace vcache::l2::codec {

namespace {

bool is_zero(base::ByteView bytes) noexcept {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

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
    return is_zero(bytes_.subspan(offset::kReserved, 1));
  }
  [[nodiscard]] Form form() const noexcept {
    return {.flags = get<std::uint8_t>(offset::kFlags),
            .length = get<std::uint32_t>(offset::kPayloadLength),
            .original = get<std::uint32_t>(offset::kOriginalLength)};
  }
  [[nodiscard]] std::size_t metadata_length() const noexcept {
    return get<std::uint32_t>(offset::kMetadataLength);
  }
  // With their stamp.
  [[nodiscard]] std::size_t tags_length() const noexcept {
    return get<std::uint16_t>(offset::kTagsLength);
  }
  // A length if and only if the flag says so, and then of at least one tag.
  [[nodiscard]] bool tags_fit_flag() const noexcept {
    return form().has_tags() ? tags_length() > kTagStampSize : tags_length() == 0;
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
  if (version > kFormatVersion) return Refusal::kVersion;
  return version == kFormatVersion ? Refusal::kNone : Refusal::kCorrupt;
}

bool is_intact(base::ByteView bytes) noexcept {
  return Header(bytes).get<std::uint64_t>(offset::kChecksum) == checksum(bytes);
}

// Lengths against what was received and against the limits, then the checksum.
Refusal check_body(base::ByteView bytes, const Limits& limits) noexcept {
  const Header header(bytes);
  const std::size_t metadata = header.metadata_length();
  const Form form = header.form();
  // What its lengths mean is then unknown as well.
  if (!is_known(form)) return is_intact(bytes) ? Refusal::kVersion : Refusal::kCorrupt;
  const std::size_t seal = form.encrypted() ? kSealSize : 0;
  const std::size_t start = form.payload_offset(metadata + header.tags_length());
  if (start + form.length + seal != bytes.size()) return Refusal::kCorrupt;
  if (metadata > base::kMaxMetadataBytes || form.length > limits.max_value) return Refusal::kTooBig;
  return is_intact(bytes) ? Refusal::kNone : Refusal::kCorrupt;
}

// To the bit, so that -0 is none.
bool is_cost(float value) noexcept {
  return std::bit_cast<std::uint32_t>(value) == std::bit_cast<std::uint32_t>(storable(value));
}

bool check_fields(base::ByteView bytes, const DecodeResult& result) noexcept {
  const base::ValueView& value = result.value;
  const Header header(bytes);
  return header.reserved_is_zero() && header.tags_fit_flag() && consistent(result.form, value) &&
         is_cost(value.cost) && is_cost(value.seconds) && result.created.count() >= 0 &&
         result.expires.count() >= 0;
}

base::ValueView read_value(base::ByteView bytes) noexcept {
  const Header header(bytes);
  return {.kind = header.get<base::ValueKind>(offset::kKind),
          .dtype = header.get<base::DType>(offset::kDType),
          .shape = header.shape(),
          .payload = bytes.subspan(kHeaderSize),
          .cost = header.get<float>(offset::kCost),
          .seconds = header.get<float>(offset::kSeconds)};
}

DecodeResult read_stamps(base::ByteView bytes) noexcept {
  const Header header(bytes);
  return {.form = header.form(),
          .created = base::Millis(header.get<std::int64_t>(offset::kCreated)),
          .expires = base::Millis(header.get<std::int64_t>(offset::kExpires)),
          .generation = header.get<std::uint64_t>(offset::kStamp),
          .grace = (header.form().flags & flag::kGrace) != 0};
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
  if (result.form.original > limits.max_value) return refuse(Refusal::kTooBig);
  result.value = read_value(bytes);
  const base::ByteView body = result.value.payload;
  const bool sound =
      check_fields(bytes, result) && (result.form.encrypted() || read_body(bytes, body, result));
  return sound ? result : refuse(Refusal::kCorrupt);
}

bool read_body(base::ByteView header, base::ByteView body, DecodeResult& result) noexcept {
  const std::size_t metadata = Header(header).metadata_length();
  const base::ByteView tags = body.subspan(metadata, Header(header).tags_length());
  const std::size_t end = metadata + tags.size();
  const std::size_t payload = Header(header).form().payload_offset(end) - kHeaderSize;
  result.value.metadata = body.first(metadata);
  result.value.payload = body.subspan(payload);
  if (!tags.empty()) {
    std::memcpy(&result.tag_stamp, tags.data(), kTagStampSize);
    result.value.tags = tags.subspan(kTagStampSize);
  }
  return base::are_tags(result.value.tags) && is_zero(body.subspan(end, payload - end));
}

DecodeResult decode_header(base::ByteView bytes, const Fingerprint& expected) noexcept {
  if (const Refusal refusal = check_frame(bytes); refusal != Refusal::kNone) return refuse(refusal);
  const Header header(bytes);
  if (!header.is_for(expected)) return refuse(Refusal::kMismatch);
  if (!header.reserved_is_zero() || !header.tags_fit_flag()) return refuse(Refusal::kCorrupt);
  const DecodeResult result = read_stamps(bytes);
  return is_known(result.form) ? result : refuse(Refusal::kVersion);
}

}  // namespace vcache::l2::codec
