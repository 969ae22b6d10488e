#include "metrics/plain_text.hpp"

#include <cstddef>
#include <cstdint>

namespace vcache::metrics {

namespace {

constexpr std::uint32_t kNoCharacter = 0xD800;  // a surrogate: stands for what is no character

std::uint32_t byte_at(std::string_view text, std::size_t i) noexcept {
  return static_cast<unsigned char>(text[i]);
}

// Bytes that a character with this first byte takes; 0 where none begins so.
std::size_t length_of(std::uint32_t first) noexcept {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return 2;
  if (first >= 0xE0 && first < 0xF0) return 3;
  return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

// The character of `length` bytes at `i`, or kNoCharacter. Requires: length_of() gave the length.
std::uint32_t decode(std::string_view text, std::size_t i, std::size_t length) noexcept {
  std::uint32_t code = length == 1 ? byte_at(text, i) : byte_at(text, i) & (0x7FU >> length);
  for (std::size_t k = 1; k < length; ++k) {
    const std::uint32_t next = byte_at(text, i + k);
    if ((next & 0xC0) != 0x80) return kNoCharacter;
    code = code << 6 | (next & 0x3F);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  return overlong ? kNoCharacter : code;
}

bool is_plain(std::uint32_t code) noexcept {
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
  return (code < 0xD800 || code > 0xDFFF) && code <= 0x10FFFF;
}

}  // namespace

bool is_plain_text(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = length_of(byte_at(text, i));
    if (length == 0 || length > text.size() - i || !is_plain(decode(text, i, length))) return false;
    i += length;
  }
  return true;
}

}  // namespace vcache::metrics
