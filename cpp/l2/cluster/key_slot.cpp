#include "l2/cluster/key_slot.hpp"

#include <array>
#include <optional>

namespace vcache::l2::cluster {

namespace {

constexpr std::uint16_t kPolynomial = 0x1021;

constexpr std::array<std::uint16_t, 256> make_table() noexcept {
  std::array<std::uint16_t, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    auto crc = static_cast<std::uint16_t>(i << 8U);
    for (int bit = 0; bit < 8; ++bit) {
      const bool high = (crc & 0x8000U) != 0;
      crc = static_cast<std::uint16_t>(crc << 1U);
      if (high) crc ^= kPolynomial;
    }
    table[i] = crc;
  }
  return table;
}

constexpr std::array<std::uint16_t, 256> kTable = make_table();

std::uint16_t crc16(std::uint16_t crc, std::string_view text) noexcept {
  for (const char c : text) {
    const auto place = static_cast<std::size_t>((crc >> 8U) ^ static_cast<unsigned char>(c));
    crc = static_cast<std::uint16_t>((crc << 8U) ^ kTable[place & 0xFFU]);
  }
  return crc;
}

std::uint16_t slot_of(std::uint16_t crc) noexcept { return crc % kSlots; }

// What the braces of a key hold, where that is decided by its first part alone.
struct Tag {
  std::string_view text;  // empty: the whole key counts
};

std::optional<Tag> tag_of(std::string_view first) noexcept {
  const std::size_t open = first.find('{');
  if (open == std::string_view::npos) return std::nullopt;
  const std::size_t close = first.find('}', open + 1);
  if (close == std::string_view::npos) return std::nullopt;
  return Tag{first.substr(open + 1, close - open - 1)};
}

}  // namespace

std::uint16_t key_slot(std::string_view first, std::string_view second) noexcept {
  std::optional<Tag> tag = tag_of(first);
  if (!tag && first.find('{') == std::string_view::npos) tag = tag_of(second);
  if (tag && !tag->text.empty()) return slot_of(crc16(0, tag->text));
  return slot_of(crc16(crc16(0, first), second));
}

}  // namespace vcache::l2::cluster
