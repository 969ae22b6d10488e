#include "l2/codec/fingerprint.hpp"

#include <cstring>

#include "base/hash.hpp"
#include "base/value.hpp"

namespace vcache::l2::codec {

namespace {

constexpr std::size_t kLengths = 2 * sizeof(std::uint32_t);
constexpr std::size_t kMaxNamespace = 64;
constexpr std::size_t kMaxFields = kLengths + kMaxNamespace + base::kMaxKeyBytes;

std::byte* append(std::byte* out, std::string_view field) noexcept {
  const auto length = static_cast<std::uint32_t>(field.size());
  std::memcpy(out, &length, sizeof length);
  if (!field.empty()) std::memcpy(out + sizeof length, field.data(), field.size());
  return out + sizeof length + field.size();
}

}  // namespace

Fingerprint fingerprint(std::string_view namespace_name, std::string_view key) noexcept {
  namespace_name = namespace_name.substr(0, kMaxNamespace);
  key = key.substr(0, base::kMaxKeyBytes);
  std::array<std::byte, kMaxFields> fields;  // NOLINT(*-member-init): filled as far as it is read
  const std::byte* const end = append(append(fields.data(), namespace_name), key);
  return base::digest128({fields.data(), end});
}

}  // namespace vcache::l2::codec
