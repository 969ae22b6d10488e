#include "l2/codec/compress.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include <algorithm>
#include <random>
#include <vector>

namespace vcache::l2::codec {
namespace {

using Bytes = std::vector<std::byte>;

Bytes frame_of(const Bytes& plain) {
  Bytes out(ZSTD_compressBound(plain.size()));
  out.resize(compress(plain, out));
  return out;
}

Bytes noise(std::size_t size) {
  std::mt19937 random(5);
  Bytes out(size);
  std::ranges::generate(out, [&random] { return static_cast<std::byte>(random()); });
  return out;
}

// A frame that does not say how much it holds.
Bytes silent_frame(const Bytes& plain) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  Bytes out(ZSTD_compressBound(plain.size()));
  out.resize(ZSTD_compress2(context, out.data(), out.size(), plain.data(), plain.size()));
  ZSTD_freeCCtx(context);
  return out;
}

TEST(CompressTest, ComesBack) {
  for (const std::size_t size : {1U, 1000U, 100'000U, 3'000'000U}) {
    Bytes plain(size, std::byte{'a'});
    for (std::size_t i = 0; i < size; i += 7) plain[i] = static_cast<std::byte>(i);
    const Bytes frame = frame_of(plain);
    ASSERT_TRUE(states_size(frame, size));
    Bytes back(size);
    ASSERT_TRUE(decompress(frame, back));
    EXPECT_EQ(back, plain);
  }
}

TEST(CompressTest, WhatDoesNotFitIsNotCompressed) {
  const Bytes plain = noise(5000);
  Bytes out(plain.size() - plain.size() / 16);
  EXPECT_EQ(compress(plain, out), 0U);
  EXPECT_EQ(compress(Bytes(5000), std::span(out).first(3)), 0U);
}

TEST(CompressTest, TheStatedSizeMustBeTheOneExpected) {
  const Bytes plain(5000, std::byte{'x'});
  const Bytes frame = frame_of(plain);
  EXPECT_FALSE(states_size(frame, 4999));
  EXPECT_FALSE(states_size(frame, 5001));
  EXPECT_FALSE(states_size(silent_frame(plain), 5000));
  EXPECT_FALSE(states_size(noise(100), 5000));
  EXPECT_FALSE(states_size({}, 0));
}

TEST(CompressTest, OneFrameAndNothingElse) {
  const Bytes plain(5000, std::byte{'x'});
  Bytes twice = frame_of(plain);
  const Bytes frame = twice;
  twice.insert(twice.end(), frame.begin(), frame.end());
  EXPECT_FALSE(states_size(twice, 5000));
  EXPECT_FALSE(states_size(twice, 10'000));
  Bytes longer = frame;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(states_size(longer, 5000));
  EXPECT_FALSE(states_size(base::ByteView(frame).first(frame.size() - 1), 5000));
}

// The frame says 100 and holds more: what it says is what memory is taken for.
TEST(CompressTest, AFrameThatHoldsMoreThanItSaysIsRefused) {
  Bytes frame = frame_of(Bytes(250, std::byte{'x'}));
  ASSERT_TRUE(states_size(frame, 250));
  frame[5] = std::byte{100};  // the size of a single segment of up to 255 bytes
  ASSERT_TRUE(states_size(frame, 100));
  Bytes out(100);
  EXPECT_FALSE(decompress(frame, out));
}

}  // namespace
}  // namespace vcache::l2::codec
