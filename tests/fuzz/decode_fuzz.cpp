#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "l2/codec/checksum.hpp"
#include "l2/codec/decoder.hpp"
#include "l2/codec/encoder.hpp"
#include "l2/codec/format.hpp"
#include "l2/codec/packer.hpp"
#include "l2/codec/seal.hpp"
#include "l2/codec/unpacker.hpp"

// Any bytes may lie in Redis. Whatever the decoder takes must be what the encoder would have
// written, byte for byte; and what it was stored in place of must be a value that can be stored.
namespace {

using namespace vcache;
using namespace vcache::l2;

using Bytes = std::vector<std::byte>;

constexpr codec::Limits kLimits{.max_value = 1 << 20};

void require(bool holds) {
  if (!holds) std::abort();
}

const codec::Packing& encrypting() {
  static const codec::Packing packing = [] {
    const std::array<std::byte, codec::kKeyBytes> key{};
    const base::ByteView view(key);
    return codec::Packing{.compression = codec::Compression::kNone,
                          .keys = codec::Keyring::make({&view, 1}).value()};
  }();
  return packing;
}

const codec::Packing& as_it_is() {
  static const codec::Packing packing{.compression = codec::Compression::kNone};
  return packing;
}

codec::Fingerprint fingerprint_in(base::ByteView bytes) {
  codec::Fingerprint out{};
  if (bytes.size() >= codec::kHeaderSize) {
    std::memcpy(out.data(), bytes.data() + codec::offset::kFingerprint, out.size());
  }
  return out;
}

codec::Stamps stamps_of(const codec::DecodeResult& result, const codec::Fingerprint& fingerprint) {
  return {.fingerprint = fingerprint,
          .created = result.created,
          .expires = result.expires,
          .generation = result.generation,
          .tag_stamp = result.tag_stamp,
          .grace = result.grace};
}

void check_stored(base::ByteView bytes) {
  const codec::Fingerprint fingerprint = fingerprint_in(bytes);
  const codec::DecodeResult result = codec::decode(bytes, fingerprint, kLimits);
  (void)codec::decode_header(bytes, fingerprint);
  if (!result.ok() || result.form.encrypted()) return;
  Bytes again(codec::head_size(result.value, result.form));
  codec::fill_head(result.value, result.form, stamps_of(result, fingerprint), again);
  codec::put_checksum(again, result.value.payload);
  again.insert(again.end(), result.value.payload.begin(), result.value.payload.end());
  require(std::ranges::equal(again, bytes));
}

void check_original(base::ByteView bytes, const codec::Packing& packing) {
  const codec::Fingerprint fingerprint = fingerprint_in(bytes);
  codec::Unpacker unpacker(packing, kLimits);
  const codec::DecodeResult result = unpacker.decode(bytes, fingerprint);
  if (!result.ok()) return;
  require(codec::encodable(result.value, kLimits.max_value));
  codec::Packer packer(as_it_is());
  const codec::Packer::Packed packed = packer.pack(result.value);
  Bytes again(packed.head_size);
  packer.finish(packed, result.value, stamps_of(result, fingerprint), again);
  again.insert(again.end(), packed.rest.begin(), packed.rest.end());
  const codec::DecodeResult plain = codec::decode(again, fingerprint, kLimits);
  require(plain.ok() && std::ranges::equal(plain.value.payload, result.value.payload) &&
          std::ranges::equal(plain.value.metadata, result.value.metadata) &&
          std::ranges::equal(plain.value.tags, result.value.tags));
}

void check(const Bytes& bytes) {
  check_stored(bytes);
  check_original(bytes, as_it_is());
  check_original(bytes, encrypting());
}

void put_checksum(Bytes& bytes) {
  const std::uint64_t sum = codec::checksum(bytes);
  std::memcpy(bytes.data() + codec::offset::kChecksum, &sum, sizeof sum);
}

// The same encrypted, as only someone could who knows the key, so that the checks behind it are
// reached.
Bytes sealed(Bytes bytes) {
  bytes[codec::offset::kFlags] |= std::byte{codec::flag::kEncrypted};
  bytes.insert(bytes.begin() + codec::kHeaderSize, codec::kPreambleSize, std::byte{0});
  bytes.insert(bytes.end(), codec::kTagSize, std::byte{0});
  const std::span<std::byte> whole(bytes);
  const std::span<std::byte> behind = whole.subspan(codec::kHeaderSize);
  codec::Sealer sealer(*encrypting().keys);
  require(sealer.seal(whole.first(codec::kHeaderSize), behind.first(codec::kPreambleSize),
                      behind.subspan(codec::kPreambleSize, behind.size() - codec::kSealSize),
                      whole.last(codec::kTagSize)));
  put_checksum(bytes);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(size);
  if (size != 0) std::memcpy(bytes.data(), data, size);
  check(bytes);
  if (size < codec::kHeaderSize) return 0;
  // The same as someone would send it who knows the format, so that the checks behind the checksum
  // are reached.
  std::memcpy(bytes.data(), codec::kMagic.data(), codec::kMagic.size());
  bytes[codec::offset::kVersion] = std::byte{codec::kFormatVersion};
  put_checksum(bytes);
  check(bytes);
  check(sealed(bytes));
  return 0;
}
