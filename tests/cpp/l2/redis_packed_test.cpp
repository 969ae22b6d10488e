#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cpp/l2/redis_fixture.hpp"
#include "support/packed_values.hpp"

namespace vcache::l2 {
namespace {

using base::Millis;
using codec::Compression;
using codec::Packing;
using codec::Precision;
using codec::testing::Bytes;
using codec::testing::keys_of;
using testing::CollectSink;
using testing::fetch;
using testing::object_view;
using testing::store;
using testing::touch;
using testing::vector_view;

class RedisPackedTest : public RedisFixture {
 protected:
  [[nodiscard]] std::unique_ptr<L2> connect_with(Packing packing) const {
    RedisOptions with = options();
    with.packing = std::move(packing);
    return connect(std::move(with));
  }
  [[nodiscard]] std::string stored(const std::string& key) const {
    return server_.call({"GET", "ns:" + key});
  }
  // Puts bytes where a value of `key` lies, with the checksum that goes with them.
  void plant(const std::string& key, std::string bytes) const {
    const auto view = std::as_writable_bytes(std::span(bytes));
    codec::put_checksum(view, {});
    server_.call({"SET", "ns:" + key, bytes});
  }
  template <class T>
  static std::string with(std::string bytes, std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
    return bytes;
  }
};

const std::vector<float> kFloats = {1, -1, 0.5F, 0, 0.25F, 0.125F};
const std::string kLong(100'000, 'x');

std::string text_of(std::span<const float> floats) {
  return {reinterpret_cast<const char*>(floats.data()), floats.size_bytes()};
}

// More bytes than one part of a batch has, of values small and large, all in other forms.
TEST_F(RedisPackedTest, ABatchOfEveryFormComesBack) {
  std::vector<std::string> texts;
  std::vector<std::vector<float>> vectors;
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i) {
    keys.push_back("k" + std::to_string(i));
    std::string text = "head ";
    while (text.size() < static_cast<std::size_t>(i) * 40) text += std::to_string(text.size() * 7);
    texts.push_back(std::move(text));
    vectors.emplace_back(static_cast<std::size_t>(1 + i), static_cast<float>(i % 2));
  }
  for (const auto& keyring : {std::shared_ptr<const codec::Keyring>{}, keys_of({"one"})}) {
    for (const Precision storage : {Precision::kAsIs, Precision::kFloat16, Precision::kInt8}) {
      const auto tier =
          connect_with({.compression = Compression::kZstd, .storage = storage, .keys = keyring});
      std::vector<Write> writes;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        writes.push_back({.key = keys[i],
                          .value = i % 3 == 0 ? vector_view(vectors[i]) : object_view(texts[i]),
                          .ttl = Millis(60'000)});
      }
      std::vector<Outcome> outcomes(writes.size());
      testing::SpanWrites source(writes);
      ASSERT_TRUE(tier->store(source, outcomes).ok());
      CollectSink sink(keys.size());
      ASSERT_TRUE(tier->fetch(testing::views(keys), sink).ok());
      for (std::size_t i = 0; i < keys.size(); ++i) {
        ASSERT_EQ(outcomes[i], Outcome::kHit);
        ASSERT_EQ(sink.answers[i].payload, i % 3 == 0 ? text_of(vectors[i]) : texts[i]) << i;
      }
      EXPECT_TRUE(tier->status(false).errors.empty());
    }
  }
}

TEST_F(RedisPackedTest, TouchReachesTheHeaderOfEveryForm) {
  for (const auto& keyring : {std::shared_ptr<const codec::Keyring>{}, keys_of({"new", "old"})}) {
    const auto tier = connect_with(
        {.compression = Compression::kAuto, .storage = Precision::kInt8, .keys = keyring});
    store(*tier, "k", kLong, Millis(60'000));
    ASSERT_EQ(touch(*tier, "k", Millis(30'000)), Outcome::kHit);
    const CollectSink::Answer answer = fetch(*tier, "k");
    EXPECT_EQ(answer.payload, kLong);
    EXPECT_LE(answer.remaining, Millis(30'000));
    EXPECT_GT(answer.remaining, Millis(20'000));
  }
}

TEST_F(RedisPackedTest, AKeyIsReplacedWithoutLosingWhatIsStored) {
  const auto old = connect_with({.keys = keys_of({"old"})});
  const auto both = connect_with({.keys = keys_of({"new", "old"})});
  const auto fresh = connect_with({.keys = keys_of({"new"})});
  store(*old, "k", vector_view(kFloats));
  EXPECT_EQ(fetch(*both, "k").payload, text_of(kFloats));
  EXPECT_EQ(fetch(*fresh, "k").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(*old, "k").outcome, Outcome::kHit) << "left for who has the key";
  ASSERT_EQ(touch(*both, "k", Millis(30'000)), Outcome::kHit);
  EXPECT_EQ(fetch(*fresh, "k").payload, text_of(kFloats)) << "encrypted anew";
}

TEST_F(RedisPackedTest, NobodyWithoutTheKeyCanPlantAValue) {
  const auto tier = connect_with({.keys = keys_of({"one"})});
  const auto plain = connect_with({});
  const auto other = connect_with({.keys = keys_of({"other"})});
  store(*plain, "plain", vector_view(kFloats));
  store(*other, "other", vector_view(kFloats));
  EXPECT_EQ(fetch(*tier, "plain").outcome, Outcome::kMiss);
  EXPECT_EQ(fetch(*tier, "other").outcome, Outcome::kMiss);
  EXPECT_EQ(touch(*tier, "plain", Millis(-1)), Outcome::kMiss);
  EXPECT_EQ(errors(*tier, "decrypt"), 2U);
  store(*tier, "ours", vector_view(kFloats));
  EXPECT_EQ(fetch(*plain, "ours").outcome, Outcome::kMiss);
  EXPECT_EQ(errors(*plain, "decrypt"), 1U);
  EXPECT_EQ(fetch(*tier, "ours").outcome, Outcome::kHit) << "refused, not removed";
  EXPECT_EQ(fetch(*plain, "plain").outcome, Outcome::kHit);
}

TEST_F(RedisPackedTest, AnAlteredByteUnderARightChecksumIsCounted) {
  const auto tier = connect_with({.keys = keys_of({"one"})});
  store(*tier, "k", vector_view(kFloats));
  const std::string sound = stored("k");
  std::uint64_t refused = 0;
  for (std::size_t at = 96; at < sound.size(); ++at) {
    plant("k", with(sound, at, static_cast<char>(sound[at] ^ 1)));
    ASSERT_EQ(fetch(*tier, "k").outcome, Outcome::kMiss) << at;
    ASSERT_EQ(errors(*tier, "decrypt"), ++refused);
  }
  plant("k", with(sound, 64, sound[64] ^ 1));
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kMiss) << "the time it was made";
  plant("k", sound);
  EXPECT_EQ(fetch(*tier, "k").outcome, Outcome::kHit);
}

class R05Test : public RedisPackedTest {};

TEST_F(R05Test, AnotherKeysBytesAreAMismatchInEveryForm) {
  const std::vector<Packing> packings = {
      {},
      {.compression = Compression::kAuto},
      {.storage = Precision::kFloat16},
      {.storage = Precision::kInt8},
      {.compression = Compression::kAuto, .keys = keys_of({"one"})},
  };
  for (const Packing& packing : packings) {
    const auto tier = connect_with(packing);
    store(*tier, "vector", vector_view(kFloats));
    store(*tier, "object", kLong);
    for (const std::string key : {"vector", "object"}) {
      server_.call({"COPY", "ns:" + key, "ns:copy", "REPLACE"});
      EXPECT_EQ(fetch(*tier, "copy").outcome, Outcome::kMiss);
      EXPECT_EQ(fetch(*tier, key).outcome, Outcome::kHit);
    }
    EXPECT_EQ(errors(*tier, "mismatch"), 2U);
  }
}

class R36Test : public RedisPackedTest {
 protected:
  static constexpr std::uint64_t kGigabyte = std::uint64_t{1} << 30;

  // A zstd frame of 8192 times the same 128 KiB of one byte, which says that it holds `states`
  // bytes; 0: says nothing.
  static std::string bomb(std::uint64_t states) {
    std::string frame("\x28\xB5\x2F\xFD", 4);
    frame += states == 0 ? '\0' : '\xC0';  // a size of eight bytes
    frame += '\x38';                       // a window of 128 KiB
    if (states != 0) frame.append(reinterpret_cast<const char*>(&states), sizeof states);
    constexpr std::uint32_t kBlocks = 8192;
    constexpr std::uint32_t kRepeated = (std::uint32_t{128 << 10} << 3U) | (1U << 1U);
    for (std::uint32_t i = 0; i < kBlocks; ++i) {
      const std::uint32_t head = kRepeated | (i + 1 == kBlocks ? 1U : 0U);
      frame.append(reinterpret_cast<const char*>(&head), 3);
      frame += 'x';
    }
    return frame;
  }

  static std::size_t status_kib(std::string_view field) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(field)) return std::stoul(line.substr(field.size() + 1));
    }
    return 0;
  }
  // From here on, VmHWM is the most memory from now on.
  static bool forget_peak() {
    std::ofstream file("/proc/self/clear_refs");
    file << "5" << std::flush;
    return file.good();
  }
};

TEST_F(R36Test, ABombIsRefusedBeforeMemoryIsTakenForIt) {
  const auto tier = connect_with({.compression = Compression::kAuto});
  store(*tier, "k", kLong);
  const std::string sound = stored("k");
  struct Bomb {
    std::uint64_t states;
    std::uint32_t original;
    const char* kind;
  };
  const std::vector<Bomb> bombs = {
      {kGigabyte, kGigabyte, "too_big"},
      {kGigabyte, 16U << 20U, "corrupt"},
      {0, 16U << 20U, "corrupt"},
      {kGigabyte, 100'000, "corrupt"},
      {16U << 20U, (16U << 20U) - 1, "corrupt"},
      {100'000, 100'000, "corrupt"},
  };
  std::vector<std::string> planted;
  for (const Bomb& each : bombs) {
    const std::string frame = bomb(each.states);
    std::string value = sound.substr(0, 96) + frame;
    value = with(value, codec::offset::kPayloadLength, static_cast<std::uint32_t>(frame.size()));
    planted.push_back(with(value, codec::offset::kOriginalLength, each.original));
  }
  ASSERT_LT(planted[0].size(), 33'000U);
  for (int round = 0; round < 2; ++round) {  // the first also warms up
    for (std::size_t i = 0; i < bombs.size(); ++i) {
      plant("k", planted[i]);
      const std::uint64_t before = errors(*tier, bombs[i].kind);
      if (!forget_peak()) GTEST_SKIP() << "no /proc/self/clear_refs";
      const std::size_t resident = status_kib("VmRSS:");
      ASSERT_EQ(fetch(*tier, "k").outcome, Outcome::kMiss);
      const std::size_t peak = status_kib("VmHWM:");
      EXPECT_EQ(errors(*tier, bombs[i].kind), before + 1) << i;
      if (round == 0) continue;
      EXPECT_LE(peak, resident + 1024) << i;
    }
  }
}

}  // namespace
}  // namespace vcache::l2
