#include "l2/codec/precision.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "l2/codec/float16.hpp"

namespace vcache::l2::codec {

namespace {

constexpr float kMostSteps = 127;
constexpr std::uint32_t kMagnitude = 0x7FFFFFFF;  // all bits but the sign
constexpr std::uint32_t kInfinity = 0x7F800000;
constexpr std::uint32_t kRoundsToInfinity = 0x477FF000;  // 65520, as float16
constexpr std::size_t kBlock = 64;                       // elements worked on at once

const Float16& float16() noexcept {
  static const Float16& chosen = has_f16c() ? f16c_float16() : baseline_float16();
  return chosen;
}

// Calls `work(first, block, count)` for all elements, which may lie at any address.
template <class T, class Work>
void for_each_block(base::ByteView elements, Work work) noexcept {
  std::array<T, kBlock> block;  // NOLINT(*-member-init): filled as far as it is read
  const std::size_t count = elements.size() / sizeof(T);
  for (std::size_t first = 0; first < count; first += kBlock) {
    const std::size_t size = std::min(kBlock, count - first);
    std::memcpy(block.data(), elements.data() + first * sizeof(T), size * sizeof(T));
    work(first, block, size);
  }
}

// The bits of the greatest magnitude. Those of NaN and Inf are greater than those of any number.
std::uint32_t greatest_magnitude(base::ByteView floats) noexcept {
  std::uint32_t greatest = 0;
  for_each_block<std::uint32_t>(floats, [&](std::size_t, const auto& block, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) greatest = std::max(greatest, block[i] & kMagnitude);
  });
  return greatest;
}

// The nearest whole number, ties to even. Adding 1.5 * 2^23 leaves no bits for a fraction.
std::int8_t nearest(float steps) noexcept {
  constexpr float kNoFraction = 12582912.0F;
  return static_cast<std::int8_t>(std::bit_cast<std::uint32_t>(steps + kNoFraction) & 0xFFU);
}

// Exact to its last bit, and with every multiple in range.
bool is_scale(float scale) noexcept {
  return std::isnormal(scale) && scale > 0 && std::isfinite(scale * kMostSteps);
}

bool to_int8(base::ByteView floats, std::span<std::byte> out) noexcept {
  const std::uint32_t greatest = greatest_magnitude(floats);
  const float scale = std::bit_cast<float>(greatest) / kMostSteps;
  if (greatest != 0 && !is_scale(scale)) return false;
  std::memcpy(out.data(), &scale, sizeof scale);
  const std::span<std::byte> steps = out.subspan(sizeof scale);
  const float divisor = greatest == 0 ? 1 : scale;
  std::array<std::int8_t, kBlock> made;  // NOLINT(*-member-init)
  for_each_block<float>(floats, [&](std::size_t first, const auto& block, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) made[i] = nearest(block[i] / divisor);
    std::memcpy(steps.data() + first, made.data(), count);
  });
  return true;
}

bool from_int8(base::ByteView in, std::span<std::byte> floats) noexcept {
  float scale = 0;
  std::memcpy(&scale, in.data(), sizeof scale);
  if (std::bit_cast<std::uint32_t>(scale) != 0 && !is_scale(scale)) return false;
  std::array<float, kBlock> made;  // NOLINT(*-member-init)
  bool in_range = true;
  for_each_block<std::int8_t>(
      in.subspan(sizeof scale), [&](std::size_t first, const auto& block, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
          in_range = in_range && block[i] >= -static_cast<int>(kMostSteps);
          made[i] = scale * static_cast<float>(block[i]);
        }
        std::memcpy(floats.data() + first * sizeof(float), made.data(), count * sizeof(float));
      });
  return in_range;
}

}  // namespace

std::size_t rounded_size(Precision precision, std::size_t size) noexcept {
  const std::size_t elements = size / sizeof(float);
  if (precision == Precision::kFloat16) return elements * sizeof(std::uint16_t);
  return precision == Precision::kInt8 ? sizeof(float) + elements : size;
}

bool round(Precision precision, base::ByteView floats, std::span<std::byte> out) noexcept {
  if (precision == Precision::kInt8) return to_int8(floats, out);
  if (greatest_magnitude(floats) >= kRoundsToInfinity) return false;
  float16().narrow(floats.data(), out.data(), floats.size() / sizeof(float));
  return true;
}

bool widen(Precision precision, base::ByteView in, std::span<std::byte> floats) noexcept {
  if (precision == Precision::kInt8) return from_int8(in, floats);
  float16().widen(in.data(), floats.data(), floats.size() / sizeof(float));
  return greatest_magnitude(floats) < kInfinity;
}

}  // namespace vcache::l2::codec
