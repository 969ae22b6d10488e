#include "l2/codec/checksum.hpp"

#include <cstring>

#include "l2/codec/format.hpp"
#include "l2/codec/xxh3.hpp"

namespace vcache::l2::codec {

namespace {

const Xxh3& xxh3() noexcept {
#if defined(__x86_64__)
  static const Xxh3& chosen = __builtin_cpu_supports("avx2") ? avx2_xxh3() : baseline_xxh3();
  return chosen;
#else
  return baseline_xxh3();
#endif
}

std::uint64_t seed_of(base::ByteView head) noexcept {
  std::uint64_t seed = 0;
  std::memcpy(&seed, head.data(), sizeof seed);
  return seed;
}

}  // namespace

std::uint64_t checksum(base::ByteView head, base::ByteView payload) noexcept {
  if (payload.empty()) return checksum(head);
  return xxh3().pieces(head.data() + kChecksummed, head.size() - kChecksummed, payload.data(),
                       payload.size(), seed_of(head));
}

std::uint64_t checksum(base::ByteView whole) noexcept {
  return xxh3().whole(whole.data() + kChecksummed, whole.size() - kChecksummed, seed_of(whole));
}

std::uint64_t stored_checksum(base::ByteView head) noexcept {
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, head.data() + offset::kChecksum, sizeof checksum);
  return checksum;
}

}  // namespace vcache::l2::codec
