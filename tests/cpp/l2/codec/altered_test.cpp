#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "l2/codec/unpacker.hpp"
#include "support/packed_values.hpp"

// Stored values of every form, altered at random.
namespace vcache::l2::codec {
namespace {

using testing::Bytes;
using testing::keys_of;
using testing::object_of;
using testing::pack;
using testing::vector_of;
using testing::with_checksum;

const Fingerprint kOurs = fingerprint("ns", "key");

// A tenth of what a nightly run does.
int rounds() {
  constexpr int kDaily = 1'000'000;
  return std::getenv("VCACHE_NIGHTLY") != nullptr ? 10 * kDaily : kDaily;
}

class Alterations {
 public:
  // 1 to 3 flipped bits, or a cut.
  Bytes operator()(Bytes bytes) {
    if (below(4) == 0) {
      bytes.resize(below(bytes.size()));
      return bytes;
    }
    const std::size_t flips = 1 + below(3);
    for (std::size_t i = 0; i < flips; ++i) {
      bytes[below(bytes.size())] ^= static_cast<std::byte>(1U << below(8));
    }
    return bytes;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }

  std::mt19937 random_{17};
};

struct Sample {
  Packing packing;
  Bytes stored;
};

std::vector<Sample> samples() {
  static const std::vector<float> kFloats(100, 0.25F);
  static const std::string kText(3000, 'x');
  std::vector<Sample> out;
  for (const auto& keys : {std::shared_ptr<const Keyring>{}, keys_of({"one"})}) {
    for (const Precision storage : {Precision::kAsIs, Precision::kFloat16, Precision::kInt8}) {
      const Packing packing{.compression = Compression::kZstd, .storage = storage, .keys = keys};
      out.push_back({packing, pack(vector_of(kFloats), packing)});
      out.push_back({packing, pack(object_of(kText), packing)});
    }
  }
  return out;
}

TEST(R03Test, FlipsAndCutsAreNeverTaken) {
  const std::vector<Sample> all = samples();
  Alterations alter;
  for (int round = 0; round < rounds(); ++round) {
    const Sample& sample = all[static_cast<std::size_t>(round) % all.size()];
    const Bytes altered = alter(sample.stored);
    if (altered == sample.stored) continue;
    Unpacker unpacker(sample.packing, {});
    ASSERT_NE(unpacker.decode(altered, kOurs).refusal, Refusal::kNone) << round;
  }
}

// As if there were no checksum. What is then taken is a value like any other.
TEST(R03Test, FlipsAndCutsUnderARightChecksumAreTakenWholeOrNotAtAll) {
  const std::vector<Sample> all = samples();
  Alterations alter;
  for (int round = 0; round < rounds(); ++round) {
    const Sample& sample = all[static_cast<std::size_t>(round) % all.size()];
    Bytes altered = alter(sample.stored);
    if (altered.size() < kHeaderSize) continue;
    altered = with_checksum(std::move(altered));
    Unpacker unpacker(sample.packing, {});
    const DecodeResult result = unpacker.decode(altered, kOurs);
    if (!result.ok()) continue;
    ASSERT_TRUE(encodable(result.value, Limits{}.max_value)) << round;
    ASSERT_TRUE(sample.packing.keys == nullptr || altered == sample.stored) << round;
  }
}

}  // namespace
}  // namespace vcache::l2::codec
