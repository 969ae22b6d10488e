#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/value.hpp"

// The bytes of a snapshot, as FORMAT.md specifies them.
namespace vcache::cache::snapshot {

static_assert(std::endian::native == std::endian::little, "structures are written as they lie");

inline constexpr std::array<char, 8> kMagic = {'V', 'C', 'H', 'E', 'S', 'N', 'A', 'P'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();
inline constexpr std::size_t kMostMarks = 64;

namespace flag {
inline constexpr std::uint32_t kShared = 1;     // of a cache with Redis
inline constexpr std::uint32_t kEncrypted = 2;  // all values
inline constexpr std::uint32_t kKnown = kShared | kEncrypted;
}  // namespace flag

// The first bytes of a file.
struct FileHead {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t size = 128;
  std::uint64_t checksum = 0;  // of what follows it here
  std::uint64_t nonce = 0;     // seeds the checksums of this file's records
  std::int64_t written = 0;    // nanoseconds since the epoch, as all times here
  std::uint64_t instance = 0;  // whose steps `made_here` counts
  std::uint32_t flags = 0;
  std::uint8_t name_bytes = 0;
  std::uint8_t policy_bytes = 0;
  std::array<char, 10> policy{};
  std::array<char, 64> name{};  // the namespace
};
static_assert(sizeof(FileHead) == 128);

// Comes before each entry's key, marks and value. The last of a file has no key: `created` is then
// the number of entries, `ends` the bytes of the file up to it.
struct RecordHead {
  std::uint64_t checksum = 0;  // of what follows up to the value, seeded by nonce and place
  std::uint32_t value_bytes = 0;
  std::uint16_t key_bytes = 0;
  std::uint8_t marks = 0;
  std::uint8_t segment = 0;
  std::int64_t created = 0;
  std::int64_t ends = kNoEnd;
  std::uint64_t made_here = 0;
  std::uint64_t made_shared = 0;
  std::uint32_t uses = 0;
  float weight = 0;
  std::uint32_t hits = 0;
  std::uint32_t reserved = 0;

  [[nodiscard]] bool is_last() const noexcept { return key_bytes == 0; }
  // Of head, key, marks and padding to a multiple of 8.
  [[nodiscard]] std::size_t head_bytes() const noexcept;
  [[nodiscard]] std::size_t record_bytes() const noexcept { return head_bytes() + value_bytes; }
};
static_assert(sizeof(RecordHead) == 64);

inline std::size_t RecordHead::head_bytes() const noexcept {
  const std::size_t end = sizeof(RecordHead) + key_bytes + std::size_t{2} * marks;
  return (end + 7) / 8 * 8;
}

[[nodiscard]] std::uint64_t checksum_of(const FileHead& head) noexcept;
// Of a record's bytes up to its value. Requires: bytes.size() == head_bytes().
[[nodiscard]] std::uint64_t checksum_of(base::ByteView bytes, std::uint64_t nonce,
                                        std::uint64_t place) noexcept;

}  // namespace vcache::cache::snapshot
