#include "l2/codec/unpacker.hpp"

#include <exception>

#include "l2/codec/compress.hpp"
#include "l2/codec/format.hpp"
#include "l2/codec/precision.hpp"

namespace vcache::l2::codec {

DecodeResult Unpacker::decode(base::ByteView bytes, const Fingerprint& expected) noexcept {
  DecodeResult result = codec::decode(bytes, expected, limits_);
  const Form& form = result.form;
  if (!result.ok() || (!packing_.keys && !form.encrypted() && !form.changed())) return result;
  try {
    result.refusal = unpack(bytes, result);
  } catch (const std::exception&) {
    result.refusal = Refusal::kMemory;
  }
  if (!result.ok()) result = {.refusal = result.refusal};
  return result;
}

Refusal Unpacker::unpack(base::ByteView bytes, DecodeResult& result) {
  const Form& form = result.form;
  pieces_.clear();
  if (form.encrypted() != static_cast<bool>(packing_.keys)) return Refusal::kDecrypt;
  if (form.encrypted()) {
    const std::span<std::byte> body = pieces_.take(bytes.size() - kHeaderSize - kSealSize);
    if (!sealer_) sealer_.emplace(*packing_.keys);
    if (!sealer_->open(bytes, body)) return Refusal::kDecrypt;
    if (!read_body(bytes, body, result)) return Refusal::kCorrupt;
  }
  return !form.changed() || expand(result) ? Refusal::kNone : Refusal::kCorrupt;
}

// The size a frame states is known to be right before memory is taken.
bool Unpacker::expand(DecodeResult& result) {
  const Form& form = result.form;
  base::ByteView& payload = result.value.payload;
  if (form.compressed()) {
    if (!states_size(payload, form.plain_size())) return false;
    const std::span<std::byte> plain = pieces_.take(form.plain_size());
    if (!decompress(payload, plain)) return false;
    payload = plain;
  }
  if (form.rounded()) {
    const std::span<std::byte> floats = pieces_.take(form.original);
    if (!widen(form.precision(), payload, floats)) return false;
    payload = floats;
  }
  return true;
}

}  // namespace vcache::l2::codec
