#include "l2/codec/decoder.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "base/tags.hpp"
#include "l2/codec/checksum.hpp"
#include "l2/codec/encoder.hpp"
#include "l2/codec/format.hpp"
#include "l2/codec/xxh3.hpp"

namespace vcache::l2::codec {
namespace {

using Bytes = std::vector<std::byte>;

const Fingerprint kOurs = fingerprint("ns", "key");

base::ValueView vector_of(const std::vector<float>& elements) {
  base::ValueView value{.kind = base::ValueKind::kVector, .dtype = base::DType::kFloat32};
  value.shape.ndim = 1;
  value.shape.dims[0] = static_cast<std::uint32_t>(elements.size());
  value.payload = std::as_bytes(std::span(elements));
  return value;
}

Bytes encode(const base::ValueView& value, std::uint64_t generation = 7) {
  Bytes out(head_size(value));
  encode_head(value,
              {.fingerprint = kOurs,
               .created = base::Millis(1000),
               .expires = base::Millis(2000),
               .generation = generation},
              out);
  out.insert(out.end(), value.payload.begin(), value.payload.end());
  return out;
}

template <class T>
Bytes with(Bytes bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
  return bytes;
}

// As a writer that knows the checksum would have made it.
Bytes sealed(Bytes bytes) { return with(bytes, offset::kChecksum, checksum(bytes)); }

Refusal refusal_of(const Bytes& bytes, const Limits& limits = {}) {
  return decode(bytes, kOurs, limits).refusal;
}

class DecoderTest : public ::testing::Test {
 protected:
  const std::vector<float> elements_ = {1.5F, -2.0F, 0.0F, 1e30F};
  const Bytes valid_ = encode(vector_of(elements_));
};

TEST_F(DecoderTest, ReadsWhatWasWritten) {
  base::ValueView value = vector_of(elements_);
  const std::string metadata = "\x81\xa1k\xa1v";
  value.metadata = std::as_bytes(std::span(metadata));
  value.cost = 0.25F;
  value.seconds = 1.75F;
  const Bytes bytes = encode(value, 42);
  const DecodeResult result = decode(bytes, kOurs, {});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value.kind, base::ValueKind::kVector);
  EXPECT_EQ(result.value.dtype, base::DType::kFloat32);
  EXPECT_EQ(result.value.shape, value.shape);
  EXPECT_EQ(result.value.cost, 0.25F);
  EXPECT_EQ(result.value.seconds, 1.75F);
  EXPECT_EQ(result.created, base::Millis(1000));
  EXPECT_EQ(result.expires, base::Millis(2000));
  EXPECT_EQ(result.generation, 42U);
  EXPECT_TRUE(std::ranges::equal(result.value.payload, value.payload));
  EXPECT_TRUE(std::ranges::equal(result.value.metadata, value.metadata));
  EXPECT_EQ(result.value.payload.data(), bytes.data() + bytes.size() - value.payload.size())
      << "a view, not a copy";
}

TEST_F(DecoderTest, PayloadOfAPlainVectorIsAtByte128) {
  EXPECT_EQ(decode(valid_, kOurs, {}).value.payload.data(), valid_.data() + 128);
}

TEST_F(DecoderTest, EveryDTypeAndRankComesBack) {
  for (std::uint8_t code = 1; code <= base::kLastDType; ++code) {
    for (std::uint8_t ndim = 0; ndim <= base::kMaxNdim; ++ndim) {
      base::ValueView value{.kind = base::ValueKind::kVector,
                            .dtype = static_cast<base::DType>(code)};
      value.shape.ndim = ndim;
      std::size_t size = base::item_size(value.dtype);
      for (std::size_t i = 0; i < ndim; ++i)
        size *= value.shape.dims[i] = 2 + static_cast<std::uint32_t>(i);
      const Bytes payload(size, std::byte{code});
      value.payload = payload;
      ASSERT_TRUE(encodable(value, size));
      const Bytes bytes = encode(value);
      const DecodeResult result = decode(bytes, kOurs, {});
      ASSERT_TRUE(result.ok()) << int{code} << " " << int{ndim};
      EXPECT_EQ(result.value.shape, value.shape);
      EXPECT_EQ(result.value.dtype, value.dtype);
      EXPECT_TRUE(std::ranges::equal(result.value.payload, payload));
    }
  }
}

TEST_F(DecoderTest, EverySingleBitFlipIsRefused) {
  for (std::size_t bit = 0; bit < valid_.size() * 8; ++bit) {
    Bytes flipped = valid_;
    flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    EXPECT_NE(refusal_of(flipped), Refusal::kNone) << "bit " << bit;
    if (bit / 8 >= offset::kKind) {
      EXPECT_EQ(refusal_of(flipped), Refusal::kCorrupt) << "bit " << bit;
    }
  }
}

TEST_F(DecoderTest, RandomAlterationsAreRefused) {
  std::mt19937 random(20);
  const auto below = [&random](std::size_t n) { return random() % n; };
  for (int round = 0; round < 200'000; ++round) {
    Bytes altered = valid_;
    const std::size_t flips = 1 + below(3);
    for (std::size_t i = 0; i < flips; ++i) {
      altered[below(altered.size())] ^= static_cast<std::byte>(1U << below(8));
    }
    if (altered != valid_) {
      ASSERT_NE(refusal_of(altered), Refusal::kNone);
    }
  }
}

TEST_F(DecoderTest, EveryCutAndEveryGrowthIsRefused) {
  for (std::size_t size = 0; size < valid_.size(); ++size) {
    const Bytes cut(valid_.begin(), valid_.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(refusal_of(cut), Refusal::kCorrupt) << size;
  }
  Bytes grown = valid_;
  grown.push_back(std::byte{0});
  EXPECT_EQ(refusal_of(grown), Refusal::kCorrupt);
}

TEST_F(DecoderTest, AnotherKeysValueIsAMismatch) {
  EXPECT_EQ(decode(valid_, fingerprint("ns", "yek"), {}).refusal, Refusal::kMismatch);
  EXPECT_EQ(decode(valid_, fingerprint("sn", "key"), {}).refusal, Refusal::kMismatch);
}

TEST_F(DecoderTest, LaterVersionsAndForeignBytesAreToldApart) {
  EXPECT_EQ(refusal_of(sealed(with(valid_, offset::kVersion, std::uint8_t{2}))), Refusal::kVersion);
  EXPECT_EQ(refusal_of(sealed(with(valid_, offset::kVersion, std::uint8_t{0}))), Refusal::kCorrupt);
  const std::string json = "[0.1, 0.2, 0.3]";
  EXPECT_EQ(decode(std::as_bytes(std::span(json)), kOurs, {}).refusal, Refusal::kForeign);
  const std::string pickle("\x80\x04\x95", 3);
  EXPECT_EQ(decode(std::as_bytes(std::span(pickle)), kOurs, {}).refusal, Refusal::kForeign);
}

TEST_F(DecoderTest, LengthsOverTheLimitsAreTooBig) {
  EXPECT_EQ(refusal_of(valid_, {.max_value = 16}), Refusal::kNone);
  EXPECT_EQ(refusal_of(valid_, {.max_value = 15}), Refusal::kTooBig);
  const Bytes metadata(base::kMaxMetadataBytes + 1);
  base::ValueView value = vector_of(elements_);
  value.metadata = metadata;
  EXPECT_FALSE(encodable(value, 1024));
  EXPECT_EQ(refusal_of(encode(value)), Refusal::kTooBig);
}

// Fields that contradict each other are refused even under a right checksum.
TEST_F(DecoderTest, SealedNonsenseIsRefused) {
  const std::vector<Bytes> nonsense = {
      with(valid_, offset::kKind, std::uint8_t{2}),
      with(valid_, offset::kKind, std::uint8_t{0}),  // an object with a dtype
      with(valid_, offset::kDType, std::uint8_t{8}),
      with(valid_, offset::kDType, std::uint8_t{0}),
      with(valid_, offset::kDType, std::uint8_t{3}),  // twice the bytes
      with(valid_, offset::kFlags, flag::kZstd),
      with(valid_, offset::kNdim, std::uint8_t{0}),
      with(valid_, offset::kNdim, std::uint8_t{2}),
      with(valid_, offset::kNdim, std::uint8_t{5}),
      with(valid_, offset::kReserved, std::uint8_t{1}),
      with(valid_, offset::kFlags, flag::kTags),
      with(valid_, offset::kTagsLength, std::uint16_t{8}),
      with(valid_, offset::kOriginalLength, std::uint32_t{1}),
      with(valid_, offset::kShape, std::uint32_t{5}),
      with(valid_, offset::kShape, std::uint32_t{0}),
      with(valid_, offset::kShape + 4, std::uint32_t{1}),  // an unused extent
      with(valid_, offset::kMetadataLength, std::uint32_t{0xFFFFFFFF}),
      with(valid_, offset::kPayloadLength, std::uint32_t{0xFFFFFFFF}),
      with(valid_, kHeaderSize, std::uint8_t{1}),  // padding
      with(valid_, offset::kCost, std::numeric_limits<float>::quiet_NaN()),
      with(valid_, offset::kSeconds, -1.0F),
      with(valid_, offset::kCost, -0.0F),
      with(valid_, offset::kCreated, std::uint64_t{1} << 63),
  };
  for (std::size_t i = 0; i < nonsense.size(); ++i) {
    EXPECT_EQ(refusal_of(sealed(nonsense[i])), Refusal::kCorrupt) << "case " << i;
  }
}

TEST_F(DecoderTest, TagsOfAnotherFormAreRefused) {
  const std::vector<std::string_view> tags = {"red", "blue"};
  const std::string encoded = base::encode_tags(tags);
  base::ValueView value = vector_of(elements_);
  value.tags = std::as_bytes(std::span(encoded));
  const Bytes tagged = encode(value);
  ASSERT_EQ(refusal_of(tagged), Refusal::kNone);
  const std::size_t first = kHeaderSize + kTagStampSize;
  EXPECT_EQ(refusal_of(sealed(with(tagged, first, std::uint16_t{0}))), Refusal::kCorrupt);
  EXPECT_EQ(refusal_of(sealed(with(tagged, first, std::uint16_t{4}))), Refusal::kCorrupt);
  EXPECT_EQ(refusal_of(sealed(with(tagged, first, std::uint16_t{0xFFFF}))), Refusal::kCorrupt);
  EXPECT_EQ(refusal_of(sealed(with(tagged, offset::kTagsLength, std::uint16_t{8}))),
            Refusal::kCorrupt);
  EXPECT_EQ(refusal_of(sealed(with(tagged, offset::kFlags, std::uint8_t{0}))), Refusal::kCorrupt);
  const std::string nonsense = "x";
  value.tags = std::as_bytes(std::span(nonsense));
  EXPECT_FALSE(encodable(value, 1024));
}

TEST_F(DecoderTest, HugeShapesDoNotOverflow) {
  Bytes bytes = with(valid_, offset::kNdim, std::uint8_t{4});
  for (std::size_t i = 0; i < 4; ++i) bytes = with(bytes, offset::kShape + 4 * i, 0x80000000U);
  EXPECT_EQ(refusal_of(sealed(bytes)), Refusal::kCorrupt);
}

// An extent of 0 lets the others be anything.
TEST_F(DecoderTest, EmptyVectorsAreRefused) {
  base::ValueView value{.kind = base::ValueKind::kVector, .dtype = base::DType::kFloat32};
  const std::vector<std::vector<std::uint32_t>> shapes = {
      {0}, {0, 0}, {3, 0}, {0, 3}, {0xFFFFFFFF, 0xFFFFFFFF, 0}};
  for (const std::vector<std::uint32_t>& dims : shapes) {
    value.shape = {.ndim = static_cast<std::uint8_t>(dims.size())};
    std::ranges::copy(dims, value.shape.dims.begin());
    EXPECT_FALSE(encodable(value, 1024)) << ::testing::PrintToString(dims);
    EXPECT_EQ(refusal_of(encode(value)), Refusal::kCorrupt) << ::testing::PrintToString(dims);
  }
}

TEST_F(DecoderTest, HeaderAloneTellsWhoseItIs) {
  const base::ByteView header = base::ByteView(valid_).first(kHeaderSize);
  const DecodeResult result = decode_header(header, kOurs);
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.generation, 7U);
  EXPECT_TRUE(result.value.payload.empty());
  EXPECT_EQ(decode_header(header, fingerprint("ns", "yek")).refusal, Refusal::kMismatch);
  EXPECT_EQ(decode_header(header.first(95), kOurs).refusal, Refusal::kCorrupt);
  EXPECT_EQ(decode_header({}, kOurs).refusal, Refusal::kCorrupt);
}

TEST(EncoderTest, SendsNoNonsenseCost) {
  const std::string payload = "x";
  base::ValueView value{.payload = std::as_bytes(std::span(payload))};
  value.cost = std::numeric_limits<float>::infinity();
  value.seconds = -3;
  const Bytes bytes = encode(value);
  const DecodeResult result = decode(bytes, kOurs, {});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value.cost, 0);
  EXPECT_EQ(result.value.seconds, 0);
}

TEST(EncoderTest, RefusesWhatNoDecoderTakes) {
  const std::vector<float> elements(4);
  base::ValueView value = vector_of(elements);
  EXPECT_TRUE(encodable(value, 16));
  EXPECT_FALSE(encodable(value, 15));
  value.shape.dims[0] = 5;
  EXPECT_FALSE(encodable(value, 1024));
}

TEST(ChecksumTest, IsTheSameInOnePieceAndInTwo) {
  for (const std::size_t size : {0U, 1U, 100U, 239U, 240U, 241U, 1536U, 6144U, 100'000U}) {
    Bytes whole(128 + size);
    for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<std::byte>(i * 31);
    const base::ByteView view(whole);
    EXPECT_EQ(checksum(view), checksum(view.first(128), view.subspan(128))) << size;
  }
}

TEST(ChecksumTest, IsTheSameOnEveryProcessor) {
  std::vector<std::byte> data(10'000);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 131);
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "no AVX2 here";
#endif
  for (std::size_t size = 0; size < data.size(); size += size < 600 ? 1 : 97) {
    const std::uint64_t whole = baseline_xxh3().whole(data.data(), size, size);
    const std::size_t half = size / 3;
    ASSERT_EQ(avx2_xxh3().whole(data.data(), size, size), whole);
    ASSERT_EQ(avx2_xxh3().pieces(data.data(), half, data.data() + half, size - half, size), whole);
    ASSERT_EQ(baseline_xxh3().pieces(data.data(), half, data.data() + half, size - half, size),
              whole);
  }
}

TEST(FingerprintTest, FieldsDoNotRunTogether) {
  EXPECT_NE(fingerprint("ab", "c"), fingerprint("a", "bc"));
  EXPECT_NE(fingerprint("a", "b"), fingerprint("b", "a"));
  EXPECT_EQ(fingerprint("a", "b"), fingerprint("a", "b"));
}

TEST(FingerprintTest, IsTheHashOfTheFieldsBehindTheirLengths) {
  for (const std::size_t size : {0U, 1U, 7U, 200U, 500U, 1024U}) {
    const std::string key(size, 'k');
    const std::uint32_t lengths[2] = {1, static_cast<std::uint32_t>(size)};
    std::string fields(reinterpret_cast<const char*>(lengths), 4);
    fields += "n";
    fields.append(reinterpret_cast<const char*>(lengths + 1), 4);
    fields += key;
    EXPECT_EQ(fingerprint("n", key), base::digest128(std::as_bytes(std::span(fields)))) << size;
  }
  EXPECT_EQ(fingerprint("n", std::string(5000, 'k')), fingerprint("n", std::string(1024, 'k')));
}

}  // namespace
}  // namespace vcache::l2::codec
