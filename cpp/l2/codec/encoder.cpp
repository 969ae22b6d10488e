#include "l2/codec/encoder.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/tags.hpp"
#include "l2/codec/checksum.hpp"
#include "l2/codec/format.hpp"
#include "l2/codec/rules.hpp"

namespace vcache::l2::codec {

namespace {

template <class T>
void put(std::span<std::byte> out, std::size_t at, T value) noexcept {
  std::memcpy(out.data() + at, &value, sizeof value);
}

void copy(std::span<std::byte> out, std::size_t at, const void* data, std::size_t size) noexcept {
  if (size != 0) std::memcpy(out.data() + at, data, size);
}

std::uint8_t with_grace(unsigned flags, bool grace) noexcept {
  constexpr unsigned kGrace = flag::kGrace;
  return static_cast<std::uint8_t>(grace ? flags | kGrace : flags & ~kGrace);
}

// Bytes of the tags with their stamp.
std::size_t tags_length(const base::ValueView& value) noexcept {
  return value.tags.empty() ? 0 : kTagStampSize + value.tags.size();
}

std::uint8_t flags_of(const base::ValueView& value, const Form& form, bool grace) noexcept {
  const unsigned tags = value.tags.empty() ? 0 : flag::kTags;
  return with_grace(form.flags | tags, grace);
}

std::uint64_t unsigned_millis(base::Millis time) noexcept {
  return static_cast<std::uint64_t>(std::max(time.count(), base::Millis::rep{0}));
}

}  // namespace

bool encodable(const base::ValueView& value, std::size_t max_value) noexcept {
  return value.payload.size() <= max_value && value.metadata.size() <= base::kMaxMetadataBytes &&
         base::are_tags(value.tags) && consistent(value);
}

std::size_t head_size(const base::ValueView& value, const Form& form) noexcept {
  return form.payload_offset(value.metadata.size() + tags_length(value));
}

void encode_head(const base::ValueView& value, const Stamps& stamps,
                 std::span<std::byte> out) noexcept {
  fill_head(value, {.length = static_cast<std::uint32_t>(value.payload.size())}, stamps, out);
  put_checksum(out, value.payload);
}

void fill_head(const base::ValueView& value, const Form& form, const Stamps& stamps,
               std::span<std::byte> out) noexcept {
  std::ranges::fill(out.first(head_size(value, form)), std::byte{0});
  copy(out, 0, kMagic.data(), kMagic.size());
  put(out, offset::kVersion, kFormatVersion);
  put(out, offset::kKind, value.kind);
  put(out, offset::kDType, value.dtype);
  put(out, offset::kFlags, flags_of(value, form, stamps.grace));
  copy(out, offset::kFingerprint, stamps.fingerprint.data(), stamps.fingerprint.size());
  copy(out, offset::kShape, value.shape.dims.data(), sizeof value.shape.dims);
  put(out, offset::kNdim, value.shape.ndim);
  put(out, offset::kMetadataLength, static_cast<std::uint32_t>(value.metadata.size()));
  put(out, offset::kPayloadLength, form.length);
  put(out, offset::kOriginalLength, form.original);
  put(out, offset::kCreated, unsigned_millis(stamps.created));
  put(out, offset::kExpires, unsigned_millis(stamps.expires));
  put(out, offset::kStamp, stamps.generation);
  put(out, offset::kCost, storable(value.cost));
  put(out, offset::kSeconds, storable(value.seconds));
  copy(out, kHeaderSize, value.metadata.data(), value.metadata.size());
  if (value.tags.empty()) return;
  const std::size_t tags = kHeaderSize + value.metadata.size();
  put(out, offset::kTagsLength, static_cast<std::uint16_t>(tags_length(value)));
  put(out, tags, stamps.tag_stamp);
  copy(out, tags + kTagStampSize, value.tags.data(), value.tags.size());
}

void put_checksum(std::span<std::byte> head, base::ByteView rest) noexcept {
  put(head, offset::kChecksum, checksum(head, rest));
}

void put_expiry(std::span<std::byte> header, base::Millis expires, bool grace) noexcept {
  const auto flags = std::to_integer<std::uint8_t>(header[offset::kFlags]);
  put(header, offset::kFlags, with_grace(flags, grace));
  put(header, offset::kExpires, unsigned_millis(expires));
}

}  // namespace vcache::l2::codec
