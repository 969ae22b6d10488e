#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.hpp"
#include "base/value.hpp"
#include "l2/codec/fingerprint.hpp"
#include "l2/codec/form.hpp"

namespace vcache::l2::codec {

// Why stored bytes are not served.
enum class Refusal : std::uint8_t {
  kNone,
  kCorrupt,   // cut, grown, altered, or never valid
  kMismatch,  // a sound value of another key
  kVersion,   // of a later format version
  kTooBig,    // sound so far, but over the limits
  kForeign,   // not a value of ours
  kDecrypt,   // encrypted with no key of ours, or not encrypted though we have keys
  kMemory,    // an allocation failed here
};

struct Limits {
  std::size_t max_value = std::size_t{16} << 20;  // bytes of payload
};

struct DecodeResult {
  Refusal refusal = Refusal::kNone;
  base::ValueView value{};  // empty unless refusal is kNone
  Form form{};
  base::Millis created{0};
  base::Millis expires{0};  // 0: none. Redis' own TTL may have been changed since
  std::uint64_t generation = 0;
  std::uint64_t tag_stamp = 0;  // of a value with tags
  bool grace = false;           // Redis keeps the value past `expires`

  [[nodiscard]] bool ok() const noexcept { return refusal == Refusal::kNone; }
};

// Reads a whole stored value, whose views lie in `bytes`. Allocates nothing and copies nothing: the
// payload is as `form` says, and of an encrypted value it is all that lies behind the header.
// Unpacker makes of it what was set.
[[nodiscard]] DecodeResult decode(base::ByteView bytes, const Fingerprint& expected,
                                  const Limits& limits) noexcept;

// Reads what lies behind the header of a value that decode() took, when it was encrypted: metadata,
// tags and payload go into `result`. False when they are not as they must be.
[[nodiscard]] bool read_body(base::ByteView header, base::ByteView body,
                             DecodeResult& result) noexcept;

// Reads the first kHeaderSize bytes of a stored value (fewer when it is shorter): what they say,
// without the checksum, so `value` stays empty.
[[nodiscard]] DecodeResult decode_header(base::ByteView bytes,
                                         const Fingerprint& expected) noexcept;

}  // namespace vcache::l2::codec
