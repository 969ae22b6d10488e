#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <zstd.h>

#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "l2/codec/checksum.hpp"
#include "l2/codec/packer.hpp"
#include "l2/codec/unpacker.hpp"
#include "support/packed_values.hpp"

namespace vcache::l2::codec {
namespace {

using testing::Bytes;
using testing::keys_of;
using testing::object_of;
using testing::pack;
using testing::vector_of;
using testing::with;
using testing::with_checksum;

const Fingerprint kOurs = fingerprint("ns", "key");

const std::string kText = [] {
  std::string text;
  while (text.size() < 5000) text += "the same again ";
  return text;
}();
const Packing kAuto{.compression = Compression::kAuto};
const std::string kMetadata = "\x81\xa1k\xa1v";

std::vector<float> ramp(std::size_t count) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(i) * 0.01F - 1;
  return out;
}

Form form_of(const Bytes& stored) { return decode(stored, kOurs, {}).form; }

Refusal refusal_of(const Bytes& stored, const Packing& packing, const Limits& limits = {}) {
  return Unpacker(packing, limits).decode(stored, kOurs).refusal;
}

void expect_back(const Bytes& stored, const Packing& packing, const base::ValueView& value) {
  Unpacker unpacker(packing, {});
  const DecodeResult result = unpacker.decode(stored, kOurs);
  ASSERT_TRUE(result.ok()) << static_cast<int>(result.refusal);
  EXPECT_TRUE(std::ranges::equal(result.value.payload, value.payload));
  EXPECT_TRUE(std::ranges::equal(result.value.metadata, value.metadata));
  EXPECT_EQ(result.value.kind, value.kind);
  EXPECT_EQ(result.value.dtype, value.dtype);
  EXPECT_EQ(result.value.shape, value.shape);
  EXPECT_EQ(result.generation, 7U);
}

TEST(PackingTest, ObjectsOverTheThresholdAreCompressed) {
  const std::string at_most = kText.substr(0, 1024);
  const std::string over = kText.substr(0, 1025);
  EXPECT_FALSE(form_of(pack(object_of(at_most), kAuto)).compressed());
  const Bytes stored = pack(object_of(over), kAuto);
  EXPECT_TRUE(form_of(stored).compressed());
  EXPECT_EQ(form_of(stored).original, 1025U);
  EXPECT_LT(stored.size(), 300U);
  expect_back(stored, kAuto, object_of(over));
  EXPECT_FALSE(form_of(pack(object_of(over), {})).compressed());
}

TEST(PackingTest, WhatDoesNotShrinkIsStoredAsItIs) {
  std::mt19937 random(3);
  std::string noise(5000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  const Bytes stored = pack(object_of(noise), kAuto);
  EXPECT_EQ(form_of(stored).flags, 0);
  EXPECT_EQ(form_of(stored).original, 0U);
  EXPECT_EQ(stored.size(), 128 + noise.size());
}

TEST(PackingTest, FloatVectorsAreNotCompressed) {
  const std::vector<float> zeros(1000);
  for (const Compression compression : {Compression::kAuto, Compression::kZstd}) {
    EXPECT_EQ(form_of(pack(vector_of(zeros), {.compression = compression})).flags, 0);
    const Packing halves{.compression = compression, .storage = Precision::kFloat16};
    EXPECT_FALSE(form_of(pack(vector_of(zeros), halves)).compressed());
  }
  const Packing both{.compression = Compression::kZstd, .storage = Precision::kInt8};
  const Bytes stored = pack(vector_of(zeros), both);
  EXPECT_TRUE(form_of(stored).compressed());
  EXPECT_EQ(form_of(stored).precision(), Precision::kInt8);
  expect_back(stored, both, vector_of(zeros));
}

TEST(PackingTest, IntegersAreCompressedWhenAskedFor) {
  const std::vector<std::int64_t> ids(100, 7);
  EXPECT_EQ(form_of(pack(vector_of(ids, base::DType::kInt64), kAuto)).flags, 0);
  const Packing packing{.compression = Compression::kZstd};
  const Bytes stored = pack(vector_of(ids, base::DType::kInt64), packing);
  EXPECT_TRUE(form_of(stored).compressed());
  expect_back(stored, packing, vector_of(ids, base::DType::kInt64));
}

TEST(PackingTest, FloatsAreStoredWithLessPrecision) {
  const std::vector<float> floats = ramp(384);
  const Bytes halves = pack(vector_of(floats), {.storage = Precision::kFloat16});
  const Bytes int8s = pack(vector_of(floats), {.storage = Precision::kInt8});
  EXPECT_EQ(halves.size(), 96 + 768U);
  EXPECT_EQ(int8s.size(), 96 + 388U);
  for (const Bytes& stored : {halves, int8s}) {
    // A reader needs no option: the value says how it is stored.
    const Packing plain;
    Unpacker unpacker(plain, {});
    const DecodeResult result = unpacker.decode(stored, kOurs);
    ASSERT_TRUE(result.ok());
    ASSERT_EQ(result.value.payload.size(), 1536U);
    for (std::size_t i = 0; i < floats.size(); ++i) {
      float got = 0;
      std::memcpy(&got, result.value.payload.data() + i * sizeof got, sizeof got);
      ASSERT_NEAR(got, floats[i], 0.012);
    }
  }
}

TEST(PackingTest, OtherTypesKeepTheirPrecision) {
  const std::vector<double> doubles(10, 0.1);
  for (const Precision storage : {Precision::kFloat16, Precision::kInt8}) {
    const Packing packing{.storage = storage};
    EXPECT_EQ(form_of(pack(vector_of(doubles, base::DType::kFloat64), packing)).flags, 0);
    EXPECT_EQ(form_of(pack(vector_of(std::vector<float>{1e30F, std::nanf("")}), packing)).flags, 0);
    EXPECT_EQ(form_of(pack(object_of(kMetadata), packing)).flags, 0);
  }
  const std::vector<float> one = {2};
  EXPECT_EQ(form_of(pack(vector_of(one), {.storage = Precision::kInt8})).flags, 0)
      << "5 bytes for 4";
}

std::vector<base::ValueView> samples(const std::vector<float>& floats) {
  base::ValueView with_metadata = vector_of(floats);
  with_metadata.metadata = std::as_bytes(std::span(kMetadata));
  static const std::string kEmptyText;
  return {vector_of(floats), with_metadata, object_of(kText), object_of(kEmptyText)};
}

TEST(PackingTest, EncryptedValuesComeBack) {
  const Packing packing{.compression = Compression::kAuto, .keys = keys_of({"one"})};
  const std::vector<float> floats = ramp(384);
  for (const base::ValueView& value : samples(floats)) {
    const Bytes stored = pack(value, packing);
    EXPECT_TRUE(form_of(stored).encrypted());
    expect_back(stored, packing, value);
  }
}

TEST(PackingTest, NothingBehindTheHeaderIsReadable) {
  const std::string secret(100, 's');
  base::ValueView value = object_of(secret);
  value.metadata = std::as_bytes(std::span(secret));
  const Bytes stored = pack(value, {.keys = keys_of({"one"})});
  const std::string text(reinterpret_cast<const char*>(stored.data()), stored.size());
  EXPECT_EQ(text.find("sss"), std::string::npos);
  EXPECT_NE(stored, pack(value, {.keys = keys_of({"one"})})) << "a nonce of its own for each";
}

TEST(PackingTest, ARotatedKeyStillDecrypts) {
  const Packing old{.keys = keys_of({"old"})};
  const Packing rotated{.keys = keys_of({"new", "old"})};
  const Packing fresh{.keys = keys_of({"new"})};
  const std::vector<float> floats = ramp(5);
  const Bytes before = pack(vector_of(floats), old);
  expect_back(before, rotated, vector_of(floats));
  const Bytes after = pack(vector_of(floats), rotated);
  expect_back(after, fresh, vector_of(floats));
  EXPECT_EQ(refusal_of(before, fresh), Refusal::kDecrypt);
  EXPECT_EQ(refusal_of(after, old), Refusal::kDecrypt);
  EXPECT_EQ(refusal_of(after, {}), Refusal::kDecrypt);
}

TEST(PackingTest, WhatIsNotEncryptedIsRefusedWhereThereAreKeys) {
  const std::vector<float> floats = ramp(5);
  EXPECT_EQ(refusal_of(pack(vector_of(floats), {}), {.keys = keys_of({"one"})}), Refusal::kDecrypt);
}

// Every byte that counts, with a checksum as someone would make it who knows the format.
TEST(PackingTest, AnyAlteredByteOfAnEncryptedValueIsRefused) {
  const Packing packing{.keys = keys_of({"one"})};
  const std::vector<float> floats = ramp(5);
  for (const base::ValueView& value : samples(floats)) {
    const Bytes stored = pack(value, packing);
    const std::size_t step = stored.size() > 1000 ? 17 : 1;
    for (std::size_t at = 0; at < stored.size(); at += at < 200 ? 1 : step) {
      if (at >= offset::kChecksum && at < kChecksummed) continue;
      Bytes altered = stored;
      altered[at] ^= std::byte{1};
      ASSERT_NE(refusal_of(with_checksum(altered), packing), Refusal::kNone) << at;
    }
    for (std::size_t size = 0; size < stored.size(); size += step) {
      const Bytes cut(stored.begin(), stored.begin() + static_cast<std::ptrdiff_t>(size));
      ASSERT_NE(refusal_of(cut, packing), Refusal::kNone) << size;
    }
  }
}

TEST(PackingTest, AnotherKeysEncryptedValueIsRefused) {
  const Packing packing{.keys = keys_of({"one"})};
  const std::vector<float> floats = ramp(5);
  const Bytes stored = pack(vector_of(floats), packing);
  const Fingerprint other = fingerprint("ns", "yek");
  EXPECT_EQ(Unpacker(packing, {}).decode(stored, other).refusal, Refusal::kMismatch);
  const Bytes moved = with_checksum(with(stored, offset::kFingerprint, other));
  EXPECT_EQ(Unpacker(packing, {}).decode(moved, other).refusal, Refusal::kDecrypt);
}

// XAES-256-GCM from its parts, by OpenSSL's own CMAC: what FORMAT.md tells a stranger to do.
TEST(PackingTest, TheCipherIsTheOneOfTheFormat) {
  const std::string key = testing::key_of("one");
  const std::vector<float> floats = ramp(5);
  const Bytes stored = pack(vector_of(floats), {.keys = keys_of({"one"})});
  const auto* const raw = reinterpret_cast<const unsigned char*>(stored.data());
  const unsigned char* const nonce = raw + 100;
  std::string derived;
  for (const char part : {'\x01', '\x02'}) {
    std::string message{'\0', part, 'X', '\0'};
    message.append(reinterpret_cast<const char*>(nonce), 12);
    std::string mac(16, '\0');
    std::size_t size = 0;
    ASSERT_NE(EVP_Q_mac(nullptr, "CMAC", nullptr, "AES-256-CBC", nullptr, key.data(), key.size(),
                        reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                        reinterpret_cast<unsigned char*>(mac.data()), mac.size(), &size),
              nullptr);
    derived += mac;
  }
  const std::size_t size = stored.size() - 124 - 16;
  Bytes plain(size);
  Bytes tag(stored.end() - 16, stored.end());
  EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
  int written = 0;
  EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(),
                      reinterpret_cast<const unsigned char*>(derived.data()), nonce + 12, nullptr);
  EVP_DecryptUpdate(context, nullptr, &written, raw, 8);
  EVP_DecryptUpdate(context, nullptr, &written, raw + 16, 80);
  EVP_DecryptUpdate(context, reinterpret_cast<unsigned char*>(plain.data()), &written, raw + 124,
                    static_cast<int>(size));
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, tag.data());
  EXPECT_EQ(EVP_DecryptFinal_ex(context, reinterpret_cast<unsigned char*>(plain.data()), &written),
            1);
  EVP_CIPHER_CTX_free(context);
  EXPECT_TRUE(std::ranges::equal(plain, vector_of(floats).payload));
}

TEST(PackingTest, AnExpiryIsChangedInEveryForm) {
  const std::vector<float> floats = ramp(100);
  const Packing encrypted{.compression = Compression::kZstd,
                          .storage = Precision::kInt8,
                          .keys = keys_of({"one", "old"})};
  for (const Packing& packing : {Packing{}, encrypted}) {
    for (const base::ValueView& value : samples(floats)) {
      Bytes stored = pack(value, packing);
      const Bytes before = stored;
      ASSERT_TRUE(Packer(packing).restamp(stored, base::Millis(99'000)));
      Unpacker unpacker(packing, {});
      const DecodeResult result = unpacker.decode(stored, kOurs);
      ASSERT_TRUE(result.ok());
      EXPECT_EQ(result.expires, base::Millis(99'000));
      EXPECT_EQ(stored.size(), before.size());
    }
  }
  Bytes foreign = pack(vector_of(floats), {.keys = keys_of({"other"})});
  EXPECT_FALSE(Packer(encrypted).restamp(foreign, base::Millis(99'000)));
}

TEST(PackingTest, TheLimitIsOnWhatWasSet) {
  const Bytes stored = pack(object_of(kText), kAuto);
  EXPECT_EQ(refusal_of(stored, {}, {.max_value = kText.size()}), Refusal::kNone);
  EXPECT_EQ(refusal_of(stored, {}, {.max_value = kText.size() - 1}), Refusal::kTooBig);
}

// Of other sizes than the header says, or of none: refused before memory is taken for it.
TEST(PackingTest, AFrameThatContradictsItsHeaderIsRefused) {
  const Bytes stored = pack(object_of(kText), kAuto);
  for (const std::size_t original : {std::size_t{0}, kText.size() - 1, kText.size() + 1}) {
    const Bytes altered =
        with(stored, offset::kOriginalLength, static_cast<std::uint32_t>(original));
    EXPECT_EQ(refusal_of(with_checksum(altered), {}), Refusal::kCorrupt) << original;
  }
  Bytes bomb = with(stored, offset::kOriginalLength, 0xFFFFFFFFU);
  EXPECT_EQ(refusal_of(with_checksum(bomb), {}), Refusal::kTooBig);
}

TEST(PackingTest, FlagsThatDoNotFitAreRefused) {
  const std::vector<float> floats = ramp(100);
  const auto flags = [](const Bytes& stored, int bits) {
    const auto byte = static_cast<std::uint8_t>(bits);
    return refusal_of(with_checksum(with(stored, offset::kFlags, byte)), {});
  };
  const Bytes plain = pack(vector_of(floats), {});
  for (const int later : {0x40, 0x80, 0x18}) {
    EXPECT_EQ(flags(plain, later), Refusal::kVersion) << later;
  }
  for (const int other : {0x02, 0x08, 0x10, 0x12, 0x04}) {
    EXPECT_EQ(flags(plain, other), Refusal::kCorrupt) << other;
  }
  const Bytes halves = pack(vector_of(floats), {.storage = Precision::kFloat16});
  for (const int other : {0x00, 0x02, 0x10, 0x0A}) {
    EXPECT_EQ(flags(halves, other), Refusal::kCorrupt) << other;
  }
  EXPECT_EQ(flags(pack(object_of(kText), kAuto), 0x0A), Refusal::kCorrupt);
}

// The sizes of a batch, whose values are read one after the other by the same reader.
TEST(PackingTest, OneReaderReadsAWholeBatch) {
  const Packing packing{
      .compression = Compression::kZstd, .storage = Precision::kFloat16, .keys = keys_of({"one"})};
  Packer packer(packing);
  Unpacker unpacker(packing, {});
  for (const std::size_t size : {1U, 500U, 100'000U, 3U, 40'000U, 384U}) {
    const std::vector<float> floats(size, 0.5F);
    const Bytes stored = pack(vector_of(floats), packer);
    const DecodeResult result = unpacker.decode(stored, kOurs);
    ASSERT_TRUE(result.ok()) << size;
    EXPECT_TRUE(std::ranges::equal(result.value.payload, vector_of(floats).payload)) << size;
  }
}

}  // namespace
}  // namespace vcache::l2::codec
