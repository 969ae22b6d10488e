#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "l2/codec/checksum.hpp"
#include "l2/codec/decoder.hpp"
#include "l2/codec/encoder.hpp"
#include "l2/codec/format.hpp"

// Any bytes may lie in Redis. Whatever the decoder takes must be what the encoder would have
// written, byte for byte.
namespace {

using namespace vcache;
using namespace vcache::l2;

constexpr codec::Limits kLimits{.max_value = 1 << 20};

void require(bool holds) {
  if (!holds) std::abort();
}

codec::Fingerprint fingerprint_in(base::ByteView bytes) {
  codec::Fingerprint out{};
  if (bytes.size() >= codec::kHeaderSize) {
    std::memcpy(out.data(), bytes.data() + codec::offset::kFingerprint, out.size());
  }
  return out;
}

void check(base::ByteView bytes) {
  const codec::Fingerprint fingerprint = fingerprint_in(bytes);
  const codec::DecodeResult result = codec::decode(bytes, fingerprint, kLimits);
  (void)codec::decode_header(bytes, fingerprint);
  if (!result.ok()) return;
  require(codec::encodable(result.value, kLimits.max_value));
  std::vector<std::byte> again(codec::head_size(result.value));
  codec::encode_head(result.value,
                     {.fingerprint = fingerprint,
                      .created = result.created,
                      .expires = result.expires,
                      .generation = result.generation},
                     again);
  again.insert(again.end(), result.value.payload.begin(), result.value.payload.end());
  require(std::ranges::equal(again, bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> bytes(size);
  if (size != 0) std::memcpy(bytes.data(), data, size);
  check(bytes);
  if (size < codec::kHeaderSize) return 0;
  // The same as someone would send it who knows the format, so that the checks behind the checksum
  // are reached.
  std::memcpy(bytes.data(), codec::kMagic.data(), codec::kMagic.size());
  bytes[codec::offset::kVersion] = std::byte{codec::kFormatVersion};
  const std::uint64_t sum = codec::checksum(bytes);
  std::memcpy(bytes.data() + codec::offset::kChecksum, &sum, sizeof sum);
  check(bytes);
  return 0;
}
