#include "l2/codec/packer.hpp"

#include <algorithm>
#include <new>

#include "l2/codec/compress.hpp"
#include "l2/codec/format.hpp"
#include "l2/codec/precision.hpp"

namespace vcache::l2::codec {

namespace {

// Payloads of up to that many bytes are not compressed.
constexpr std::size_t kAutoThreshold = 1024;
constexpr std::size_t kLeastToCompress = 64;

constexpr std::size_t kLeastGain = 16;  // 1/16 of a payload must be won

bool is_float(base::DType dtype) noexcept {
  return dtype == base::DType::kFloat32 || dtype == base::DType::kFloat16 ||
         dtype == base::DType::kFloat64;
}

}  // namespace

Packer::Packed Packer::pack(const base::ValueView& value) {
  Packed packed{.payload = value.payload};
  if (packing_.storage != Precision::kAsIs) round_off(value, packed);
  if (packing_.compression != Compression::kNone) shrink(value, packed);
  packed.form.length = static_cast<std::uint32_t>(packed.payload.size());
  if (packed.form.changed()) {
    packed.form.original = static_cast<std::uint32_t>(value.payload.size());
  }
  if (packing_.keys) packed.form.flags |= flag::kEncrypted;
  packed.head_size = head_size(value, packed.form);
  packed.rest = packed.payload;
  if (packing_.keys) {
    packed.sealed = pieces_.take(packed.head_size + packed.payload.size() + kTagSize);
    packed.rest = packed.sealed.subspan(kHeaderSize);
    packed.head_size = kHeaderSize + kPreambleSize;
  }
  return packed;
}

void Packer::round_off(const base::ValueView& value, Packed& packed) {
  const std::size_t size = rounded_size(packing_.storage, value.payload.size());
  if (value.dtype != base::DType::kFloat32 || size >= value.payload.size()) return;
  const std::span<std::byte> out = pieces_.take(size);
  if (!round(packing_.storage, value.payload, out)) return pieces_.shorten(0);
  packed.payload = out;
  packed.form.flags |=
      static_cast<std::uint8_t>(static_cast<unsigned>(packing_.storage) << flag::kPrecisionShift);
}

bool Packer::is_to_shrink(const base::ValueView& value, const Packed& packed) const noexcept {
  if (packing_.compression == Compression::kAuto) {
    return value.kind == base::ValueKind::kObject && value.payload.size() > kAutoThreshold;
  }
  const bool floats = is_float(value.dtype) && packed.form.precision() != Precision::kInt8;
  return !floats && packed.payload.size() > kLeastToCompress;
}

void Packer::shrink(const base::ValueView& value, Packed& packed) {
  if (!is_to_shrink(value, packed)) return;
  const std::size_t size = packed.payload.size();
  const std::span<std::byte> out = pieces_.take(size - size / kLeastGain);
  const std::size_t shrunk = compress(packed.payload, out);
  pieces_.shorten(shrunk);
  if (shrunk == 0) return;
  packed.payload = out.first(shrunk);
  packed.form.flags |= flag::kZstd;
}

void Packer::finish(const Packed& packed, const base::ValueView& value, const Stamps& stamps,
                    std::span<std::byte> head) {
  if (!packed.form.encrypted()) {
    fill_head(value, packed.form, stamps, head);
    return put_checksum(head, packed.rest);
  }
  fill_head(value, packed.form, stamps, packed.sealed);
  const std::span<std::byte> body =
      packed.sealed.subspan(kHeaderSize, packed.sealed.size() - kHeaderSize - kTagSize);
  std::ranges::copy(packed.payload,
                    body.end() - static_cast<std::ptrdiff_t>(packed.payload.size()));
  std::ranges::copy(packed.sealed.first(kHeaderSize), head.begin());
  if (!sealer().seal(head.first(kHeaderSize), head.subspan(kHeaderSize), body,
                     packed.sealed.last(kTagSize))) {
    throw std::bad_alloc();
  }
  put_checksum(head, packed.rest);
}

bool Packer::restamp(std::span<std::byte> whole, base::Millis expires, bool grace) {
  const std::span<std::byte> header = whole.first(kHeaderSize);
  if ((header[offset::kFlags] & std::byte{flag::kEncrypted}) == std::byte{0}) {
    put_expiry(header, expires, grace);
  } else {
    const std::span<std::byte> body = pieces_.take(whole.size() - kHeaderSize - kSealSize);
    if (!sealer().open(whole, body)) return false;
    put_expiry(header, expires, grace);
    const std::span<std::byte> sealed = whole.subspan(kHeaderSize + kPreambleSize, body.size());
    std::ranges::copy(body, sealed.begin());
    if (!sealer().seal(header, whole.subspan(kHeaderSize, kPreambleSize), sealed,
                       whole.last(kTagSize))) {
      return false;
    }
  }
  put_checksum(whole, {});
  return true;
}

Sealer& Packer::sealer() {
  if (!sealer_) sealer_.emplace(*packing_.keys);
  return *sealer_;
}

}  // namespace vcache::l2::codec
