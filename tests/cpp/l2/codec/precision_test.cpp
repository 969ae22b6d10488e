#include "l2/codec/precision.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "l2/codec/float16.hpp"

namespace vcache::l2::codec {
namespace {

using Floats = std::vector<float>;
using Bytes = std::vector<std::byte>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

base::ByteView bytes_of(const Floats& floats) { return std::as_bytes(std::span(floats)); }

bool stores(Precision precision, const Floats& floats) {
  Bytes out(rounded_size(precision, bytes_of(floats).size()));
  return round(precision, bytes_of(floats), out);
}

Floats restored(Precision precision, const Floats& floats) {
  Bytes out(rounded_size(precision, bytes_of(floats).size()));
  EXPECT_TRUE(round(precision, bytes_of(floats), out));
  Floats back(floats.size(), kNaN);
  EXPECT_TRUE(widen(precision, out, std::as_writable_bytes(std::span(back))));
  return back;
}

float scale_of(const Floats& floats) {
  float greatest = 0;
  for (const float x : floats) greatest = std::max(greatest, std::fabs(x));
  return greatest / 127;
}

class RandomFloats {
 public:
  // Of magnitudes from 2^-30 to 2^15, or all of about one.
  Floats operator()(std::size_t count) {
    std::uniform_real_distribution<float> unit(-1, 1);
    std::uniform_int_distribution<int> exponent(-30, 15);
    const bool even = (random_() & 1U) != 0;
    Floats out(count);
    for (float& x : out) x = even ? unit(random_) : std::ldexp(unit(random_), exponent(random_));
    return out;
  }

 private:
  std::mt19937 random_{11};
};

TEST(PrecisionTest, SizesAreThoseOfTheFormat) {
  EXPECT_EQ(rounded_size(Precision::kFloat16, 1536), 768U);
  EXPECT_EQ(rounded_size(Precision::kInt8, 1536), 388U);
}

TEST(PrecisionTest, AnInt8IsWithinHalfAScaleOfItsElement) {
  RandomFloats random;
  for (int round = 0; round < 2'000; ++round) {
    const Floats floats = random(1 + static_cast<std::size_t>(round % 400));
    const Floats back = restored(Precision::kInt8, floats);
    const double scale = scale_of(floats);
    const double bound = scale / 2 + scale / 65536;  // the last for the rounding of float32 itself
    for (std::size_t i = 0; i < floats.size(); ++i) {
      ASSERT_LE(std::fabs(double{back[i]} - double{floats[i]}), bound) << floats[i];
    }
  }
}

TEST(PrecisionTest, AFloat16IsWithinHalfAnUlpOfItsElement) {
  RandomFloats random;
  for (int round = 0; round < 2'000; ++round) {
    const Floats floats = random(1 + static_cast<std::size_t>(round % 400));
    const Floats back = restored(Precision::kFloat16, floats);
    for (std::size_t i = 0; i < floats.size(); ++i) {
      const double bound = std::max(std::fabs(double{floats[i]}) / 2048, std::ldexp(1.0, -25));
      ASSERT_LE(std::fabs(double{back[i]} - double{floats[i]}), bound) << floats[i];
    }
  }
}

TEST(PrecisionTest, TiesGoToEven) {
  const Floats ties = {1 + 1.0F / 2048, 1 + 3.0F / 2048, -1 - 1.0F / 2048, std::ldexp(1.0F, -25),
                       std::ldexp(3.0F, -25)};
  const Floats even = {1, 1 + 2.0F / 1024, -1, 0, std::ldexp(1.0F, -23)};
  EXPECT_EQ(restored(Precision::kFloat16, ties), even);
  EXPECT_EQ(restored(Precision::kInt8, {127, 0.5F, 1.5F, -2.5F}), (Floats{127, 0, 2, -2}));
}

TEST(PrecisionTest, EveryFloat16ComesBackToTheBit) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    float wide = 0;
    baseline_float16().widen(&half, &wide, 1);
    if (!std::isfinite(wide)) continue;
    std::uint16_t back = 0;
    baseline_float16().narrow(&wide, &back, 1);
    ASSERT_EQ(back, half);
  }
}

// All 2^16 float16, and the float32 between and beside them.
TEST(PrecisionTest, Float16IsTheSameOnEveryProcessor) {
  if (!has_f16c()) GTEST_SKIP() << "no F16C here";
  std::vector<std::uint16_t> halves(0x10000);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  Floats one(halves.size());
  Floats other(halves.size());
  baseline_float16().widen(halves.data(), one.data(), halves.size());
  f16c_float16().widen(halves.data(), other.data(), halves.size());
  Floats narrowed;
  for (std::size_t i = 0; i < one.size(); ++i) {
    ASSERT_EQ(std::isnan(one[i]), std::isnan(other[i])) << i;
    if (std::isnan(one[i])) continue;
    ASSERT_EQ(std::bit_cast<std::uint32_t>(one[i]), std::bit_cast<std::uint32_t>(other[i])) << i;
    const float step = std::ldexp(std::fabs(one[i]), -12);
    for (const float x : {one[i], one[i] + step, one[i] - step, std::nextafter(one[i], 1e9F)}) {
      if (std::fabs(x) < 65520) narrowed.push_back(x);
    }
  }
  std::vector<std::uint16_t> few(narrowed.size());
  std::vector<std::uint16_t> fast(narrowed.size());
  baseline_float16().narrow(narrowed.data(), few.data(), narrowed.size());
  f16c_float16().narrow(narrowed.data(), fast.data(), narrowed.size());
  EXPECT_EQ(few, fast);
}

TEST(PrecisionTest, NothingIsWrittenBehindTheEnd) {
  const Float16& best = has_f16c() ? f16c_float16() : baseline_float16();
  for (const Float16* const set : {&baseline_float16(), &best}) {
    for (std::size_t count = 0; count < 20; ++count) {
      const Floats floats(20, 1.5F);
      std::array<std::uint16_t, 21> halves{};
      set->narrow(floats.data(), halves.data(), count);
      Floats wide(21, 7.0F);
      set->widen(halves.data(), wide.data(), count);
      for (std::size_t i = 0; i < halves.size(); ++i) {
        EXPECT_EQ(halves[i], i < count ? 0x3E00 : 0);
        EXPECT_EQ(wide[i], i < count ? 1.5F : 7.0F);
      }
    }
  }
}

TEST(PrecisionTest, WhatCannotBeHeldIsNotStored) {
  for (const Precision precision : {Precision::kFloat16, Precision::kInt8}) {
    for (const float bad : {kNaN, -kNaN, kInfinity, -kInfinity}) {
      for (const std::size_t at : {0U, 63U, 64U, 99U}) {
        Floats floats(100, 0.5F);
        floats[at] = bad;
        EXPECT_FALSE(stores(precision, floats)) << bad << " at " << at;
      }
    }
  }
  EXPECT_TRUE(stores(Precision::kFloat16, {65504, -65519.996F}));
  EXPECT_FALSE(stores(Precision::kFloat16, {65520}));
  EXPECT_TRUE(stores(Precision::kInt8, {65520}));
  EXPECT_TRUE(stores(Precision::kInt8, {0, -0.0F}));
  EXPECT_FALSE(stores(Precision::kInt8, {1e-37F})) << "the scale has lost digits";
  EXPECT_FALSE(stores(Precision::kInt8, {1e-45F}));
}

TEST(PrecisionTest, ExtremesOfFloat32AreStoredOrRefused) {
  float x = std::numeric_limits<float>::max();
  for (int i = 0; i < 1000; ++i, x = std::nextafter(x, 0.0F)) {
    if (!stores(Precision::kInt8, {x})) continue;
    EXPECT_NEAR(restored(Precision::kInt8, {x})[0] / x, 1, 1e-6);
  }
  x = std::numeric_limits<float>::min();
  for (int i = 0; i < 1000; ++i, x *= 1.01F) {
    if (!stores(Precision::kInt8, {x})) continue;
    EXPECT_NEAR(restored(Precision::kInt8, {x})[0] / x, 1, 1e-6);
  }
}

TEST(PrecisionTest, WhatNoWriterStoresIsRefused) {
  Floats floats(2);
  const auto reads = [&floats](Precision precision, const auto& stored) {
    return widen(precision, std::as_bytes(std::span(stored)),
                 std::as_writable_bytes(std::span(floats)));
  };
  const auto int8s = [&](float scale, std::int8_t step) {
    Bytes stored(6);
    std::memcpy(stored.data(), &scale, sizeof scale);
    stored[5] = static_cast<std::byte>(step);
    return reads(Precision::kInt8, stored);
  };
  EXPECT_TRUE(int8s(0.5F, -127));
  EXPECT_FALSE(int8s(0.5F, -128));
  EXPECT_TRUE(int8s(0, 0));
  for (const float scale : {-0.0F, -1.0F, kNaN, kInfinity, 1e-40F, 3e38F}) {
    EXPECT_FALSE(int8s(scale, 1)) << scale;
  }
  EXPECT_TRUE(reads(Precision::kFloat16, std::array<std::uint16_t, 2>{0x3C00, 0xFBFF}));
  EXPECT_FALSE(reads(Precision::kFloat16, std::array<std::uint16_t, 2>{0x3C00, 0x7C00}));
  EXPECT_FALSE(reads(Precision::kFloat16, std::array<std::uint16_t, 2>{0xFE00, 0}));
}

}  // namespace
}  // namespace vcache::l2::codec
