#include "l2/codec/float16.hpp"

// Compiled for a newer processor, so nothing with inline functions of ours may be included: the
// linker could take them everywhere.
#if defined(__F16C__) && defined(__AVX__)

#include <immintrin.h>

namespace vcache::l2::codec {

namespace {

constexpr std::size_t kLanes = 8;

// The last elements go through a register of their own, so that no load or store reaches over the
// end.
void narrow(const void* floats, void* halves, std::size_t count) noexcept {
  const auto* in = static_cast<const float*>(floats);
  auto* out = static_cast<unsigned short*>(halves);
  for (; count >= kLanes; count -= kLanes, in += kLanes, out += kLanes) {
    const __m128i packed = _mm256_cvtps_ph(_mm256_loadu_ps(in), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), packed);
  }
  if (count == 0) return;
  __m256 few = _mm256_setzero_ps();
  __builtin_memcpy(&few, in, count * sizeof *in);
  const __m128i packed = _mm256_cvtps_ph(few, _MM_FROUND_TO_NEAREST_INT);
  __builtin_memcpy(out, &packed, count * sizeof *out);
}

void widen(const void* halves, void* floats, std::size_t count) noexcept {
  const auto* in = static_cast<const unsigned short*>(halves);
  auto* out = static_cast<float*>(floats);
  for (; count >= kLanes; count -= kLanes, in += kLanes, out += kLanes) {
    const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
    _mm256_storeu_ps(out, _mm256_cvtph_ps(packed));
  }
  if (count == 0) return;
  __m128i packed = _mm_setzero_si128();
  __builtin_memcpy(&packed, in, count * sizeof *in);
  const __m256 few = _mm256_cvtph_ps(packed);
  __builtin_memcpy(out, &few, count * sizeof *out);
}

}  // namespace

const Float16& f16c_float16() noexcept {
  static constexpr Float16 kF16c = {.narrow = narrow, .widen = widen};
  return kF16c;
}

}  // namespace vcache::l2::codec

#else

namespace vcache::l2::codec {

const Float16& f16c_float16() noexcept { return baseline_float16(); }

}  // namespace vcache::l2::codec

#endif
