#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.hpp"
#include "base/value.hpp"
#include "l2/codec/fingerprint.hpp"

namespace vcache::l2::codec {

// Why stored bytes are not served.
enum class Refusal : std::uint8_t {
  kNone,
  kCorrupt,   // cut, grown, altered, or never valid
  kMismatch,  // a sound value of another key
  kVersion,   // of a later format version
  kTooBig,    // sound so far, but over the limits
  kForeign,   // not a value of ours
};

struct Limits {
  std::size_t max_value = std::size_t{16} << 20;  // bytes of payload
};

struct DecodeResult {
  Refusal refusal = Refusal::kNone;
  base::ValueView value{};  // views into the bytes given; empty unless refusal is kNone
  base::Millis created{0};
  base::Millis expires{0};  // 0: none. Redis' own TTL may have been changed since
  std::uint64_t generation = 0;

  [[nodiscard]] bool ok() const noexcept { return refusal == Refusal::kNone; }
};

// Reads a whole stored value. Allocates nothing and copies nothing.
[[nodiscard]] DecodeResult decode(base::ByteView bytes, const Fingerprint& expected,
                                  const Limits& limits) noexcept;

// Reads the first kHeaderSize bytes of a stored value (fewer when it is shorter): what they say,
// without the checksum, so `value` stays empty.
[[nodiscard]] DecodeResult decode_header(base::ByteView bytes,
                                         const Fingerprint& expected) noexcept;

}  // namespace vcache::l2::codec
