#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "l2/codec/unpacker.hpp"
#include "support/packed_values.hpp"

// The files of tests/data/wire were written by the first release that knew their form. They must
// decode for ever; they are never written again.
namespace vcache::l2::codec {
namespace {

using namespace std::string_literals;

struct Golden {
  std::string file;
  std::string key;
  base::ValueView value;
  base::Millis expires;
  Packing packing = {};
  std::uint64_t tag_stamp = 0;
  bool reproducible = true;  // by any version of zstd, and with any nonce
};

const std::vector<float> kFloats = {1.0F, -0.5F, 0.0F, 3.25F, 1e-30F};
const std::vector<std::uint16_t> kHalves = {0x3C00, 0xB800, 0x0000, 0x7BFF, 0x0001, 0x4248};
const std::vector<std::int64_t> kLongs = {0, -1, (std::int64_t{1} << 53) + 1};
const std::string kObject =
    "\x83\xa4name\xa4gpu0\xa5price\xca\x3f\x80\x00\x00\xa4tags\x92\x01\xc0"s;
const std::string kMetadata = "\x81\xa5model\xa5small";
const std::string kTags = "\x06\0doc:42\x06\0tenant"s;
const std::string kEmptyText;
const std::vector<float> kExact = {127.0F, -3.0F, 0.0F, 64.0F, 1.0F};  // also as float16 and int8
const std::string kLongText = "\xda\x07\x08"s + std::string(1800, 'x');

template <class T>
base::ValueView vector_of(const std::vector<T>& elements, base::DType dtype,
                          std::vector<std::uint32_t> dims) {
  base::ValueView value{.kind = base::ValueKind::kVector, .dtype = dtype};
  value.shape.ndim = static_cast<std::uint8_t>(dims.size());
  std::ranges::copy(dims, value.shape.dims.begin());
  value.payload = std::as_bytes(std::span(elements));
  return value;
}

base::ValueView object_of(const std::string& bytes) {
  return {.kind = base::ValueKind::kObject, .payload = std::as_bytes(std::span(bytes))};
}

std::vector<Golden> packed_goldens(const Golden& with_metadata) {
  const base::ValueView exact = vector_of(kExact, base::DType::kFloat32, {5});
  Golden encrypted = with_metadata;
  encrypted.file = "v1_float32_encrypted.bin";
  encrypted.packing.keys = testing::keys_of({"golden"});
  encrypted.reproducible = false;
  return {
      {.file = "v1_float32_as_float16.bin",
       .key = "emb:small:0",
       .value = exact,
       .expires = base::Millis(0),
       .packing = {.storage = Precision::kFloat16}},
      {.file = "v1_float32_as_int8.bin",
       .key = "emb:small:0",
       .value = exact,
       .expires = base::Millis(0),
       .packing = {.storage = Precision::kInt8}},
      {.file = "v1_object_zstd.bin",
       .key = "gpu:list:instances",
       .value = object_of(kLongText),
       .expires = base::Millis(0),
       .packing = {.compression = Compression::kAuto},
       .reproducible = false},
      encrypted,
  };
}

std::vector<Golden> goldens() {
  Golden with_metadata{.file = "v1_float32_metadata.bin",
                       .key = "emb:small:1",
                       .value = vector_of(kFloats, base::DType::kFloat32, {5}),
                       .expires = base::Millis(0)};
  with_metadata.value.metadata = std::as_bytes(std::span(kMetadata));
  with_metadata.value.cost = 0.0001F;
  with_metadata.value.seconds = 0.125F;
  Golden with_tags{.file = "v1_float32_tags.bin",
                   .key = "emb:small:2",
                   .value = vector_of(kFloats, base::DType::kFloat32, {5}),
                   .expires = base::Millis(1'700'003'600'000),
                   .tag_stamp = 1'700'000'000'000'001};
  with_tags.value.metadata = std::as_bytes(std::span(kMetadata));
  with_tags.value.tags = std::as_bytes(std::span(kTags));
  std::vector<Golden> all = {
      {"v1_float32.bin", "emb:small:0", vector_of(kFloats, base::DType::kFloat32, {5}),
       base::Millis(1'700'003'600'000)},
      with_metadata,
      with_tags,
      {"v1_float16_2d.bin", "bin\r\n\0key"s, vector_of(kHalves, base::DType::kFloat16, {2, 3}),
       base::Millis(1'700'003'600'000)},
      {"v1_int64.bin", "ids", vector_of(kLongs, base::DType::kInt64, {3}), base::Millis(0)},
      {"v1_object.bin", "gpu:list:instances", object_of(kObject), base::Millis(1'700'000'300'000)},
      {"v1_object_empty.bin", "e", object_of(kEmptyText), base::Millis(0)},
  };
  for (Golden& golden : packed_goldens(with_metadata)) all.push_back(std::move(golden));
  return all;
}

std::vector<std::byte> read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::byte> bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::vector<std::byte> encode(const Golden& golden) {
  return testing::pack(golden.value, golden.packing,
                       {.fingerprint = fingerprint("vcache", golden.key),
                        .created = base::Millis(1'700'000'000'000),
                        .expires = golden.expires,
                        .generation = 1'700'000'000'000'000,
                        .tag_stamp = golden.tag_stamp});
}

std::filesystem::path path_of(const Golden& golden) {
  return std::filesystem::path(VCACHE_TEST_DATA) / "wire" / golden.file;
}

TEST(R04Test, EveryFileDecodes) {
  for (const Golden& golden : goldens()) {
    const std::vector<std::byte> bytes = read(path_of(golden));
    ASSERT_FALSE(bytes.empty()) << golden.file;
    Unpacker unpacker(golden.packing, {});
    const DecodeResult result = unpacker.decode(bytes, fingerprint("vcache", golden.key));
    ASSERT_TRUE(result.ok()) << golden.file << " " << static_cast<int>(result.refusal);
    EXPECT_EQ(result.value.kind, golden.value.kind) << golden.file;
    EXPECT_EQ(result.value.dtype, golden.value.dtype) << golden.file;
    EXPECT_EQ(result.value.shape, golden.value.shape) << golden.file;
    EXPECT_EQ(result.value.cost, golden.value.cost) << golden.file;
    EXPECT_EQ(result.value.seconds, golden.value.seconds) << golden.file;
    EXPECT_EQ(result.created, base::Millis(1'700'000'000'000)) << golden.file;
    EXPECT_EQ(result.expires, golden.expires) << golden.file;
    EXPECT_EQ(result.generation, 1'700'000'000'000'000U) << golden.file;
    EXPECT_TRUE(std::ranges::equal(result.value.payload, golden.value.payload)) << golden.file;
    EXPECT_TRUE(std::ranges::equal(result.value.metadata, golden.value.metadata)) << golden.file;
    EXPECT_TRUE(std::ranges::equal(result.value.tags, golden.value.tags)) << golden.file;
    EXPECT_EQ(result.tag_stamp, golden.tag_stamp) << golden.file;
  }
}

TEST(R04Test, TheCurrentVersionIsWrittenToTheByte) {
  for (const Golden& golden : goldens()) {
    if (!golden.reproducible) continue;
    EXPECT_EQ(encode(golden), read(path_of(golden))) << golden.file;
  }
}

TEST(R04Test, NoFileIsLeftOut) {
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(VCACHE_TEST_DATA) / "wire")) {
    files += entry.path().extension() == ".bin" ? 1 : 0;
  }
  EXPECT_EQ(files, goldens().size());
}

}  // namespace
}  // namespace vcache::l2::codec
