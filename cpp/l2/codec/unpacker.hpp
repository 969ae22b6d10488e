#pragma once

#include <optional>

#include "base/value.hpp"
#include "l2/codec/decoder.hpp"
#include "l2/codec/packing.hpp"
#include "l2/codec/pieces.hpp"
#include "l2/codec/seal.hpp"

namespace vcache::l2::codec {

// Reads stored values back to what was set. Used by one thread; `packing` outlives it.
class Unpacker {
 public:
  Unpacker(const Packing& packing, const Limits& limits) noexcept
      : packing_(packing), limits_(limits) {}

  // As codec::decode(), and brings the payload back to its original form. Views into `bytes`, or
  // into this where the value was stored in another form, valid until the next call. A value that
  // is not encrypted is refused where there are keys: whoever can write to Redis could have made
  // it.
  [[nodiscard]] DecodeResult decode(base::ByteView bytes, const Fingerprint& expected) noexcept;

 private:
  [[nodiscard]] Refusal unpack(base::ByteView bytes, DecodeResult& result);
  [[nodiscard]] bool expand(DecodeResult& result);

  const Packing& packing_;
  const Limits limits_;
  Pieces pieces_;
  std::optional<Sealer> sealer_;
};

}  // namespace vcache::l2::codec
