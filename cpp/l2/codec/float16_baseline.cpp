#include <bit>
#include <cstdint>
#include <cstring>

#include "l2/codec/float16.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace vcache::l2::codec {

namespace {

constexpr std::uint32_t kSign = 0x80000000U;
constexpr unsigned kShift = 23 - 10;                    // between the mantissas
constexpr std::uint32_t kRebias = (127U - 15U) << 23U;  // between the exponents
constexpr std::uint32_t kLeastNormal = 113U << 23U;     // 2^-14, of float16
constexpr std::uint32_t kSubnormalUnit = 126U << 23U;   // 0.5: its last bit is worth 2^-24

std::uint16_t narrow_one(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits & kSign;
  std::uint32_t magnitude = bits ^ sign;
  if (magnitude < kLeastNormal) {  // let the addition round to multiples of 2^-24
    const float sum = std::bit_cast<float>(magnitude) + std::bit_cast<float>(kSubnormalUnit);
    magnitude = std::bit_cast<std::uint32_t>(sum) - kSubnormalUnit;
  } else {
    const std::uint32_t odd = (magnitude >> kShift) & 1U;
    magnitude = (magnitude - kRebias + 0xFFFU + odd) >> kShift;
  }
  return static_cast<std::uint16_t>(magnitude | (sign >> 16U));
}

float widen_one(std::uint16_t half) noexcept {
  constexpr std::uint32_t kExponent = 0x7C00U << kShift;
  std::uint32_t bits = (half & 0x7FFFU) << kShift;
  const std::uint32_t exponent = bits & kExponent;
  bits += kRebias;
  if (exponent == kExponent) bits += kRebias;  // infinite or NaN
  if (exponent == 0) {
    const auto sum = std::bit_cast<float>(bits + (1U << 23U));
    bits = std::bit_cast<std::uint32_t>(sum - std::bit_cast<float>(kLeastNormal));
  }
  return std::bit_cast<float>(bits | ((half & 0x8000U) << 16U));
}

void narrow(const void* floats, void* halves, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    float value = 0;
    std::memcpy(&value, static_cast<const std::byte*>(floats) + i * sizeof value, sizeof value);
    const std::uint16_t half = narrow_one(value);
    std::memcpy(static_cast<std::byte*>(halves) + i * sizeof half, &half, sizeof half);
  }
}

void widen(const void* halves, void* floats, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, static_cast<const std::byte*>(halves) + i * sizeof half, sizeof half);
    const float value = widen_one(half);
    std::memcpy(static_cast<std::byte*>(floats) + i * sizeof value, &value, sizeof value);
  }
}

}  // namespace

const Float16& baseline_float16() noexcept {
  static constexpr Float16 kBaseline = {.narrow = narrow, .widen = widen};
  return kBaseline;
}

bool has_f16c() noexcept {
#if defined(__x86_64__)
  unsigned int eax = 0;
  unsigned int ebx = 0;
  unsigned int ecx = 0;
  unsigned int edx = 0;
  return __builtin_cpu_supports("avx") && __get_cpuid(1, &eax, &ebx, &ecx, &edx) == 1 &&
         (ecx & bit_F16C) != 0;
#else
  return false;
#endif
}

}  // namespace vcache::l2::codec
