#include "base/tags.hpp"

#include <cstring>

namespace vcache::base {

namespace {

using Length = std::uint16_t;

// Of the tag that `bytes` begin with; 0 when they begin with none.
std::size_t first_length(ByteView bytes) noexcept {
  Length length = 0;
  if (bytes.size() < sizeof length) return 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return length <= kMaxTagBytes && length <= bytes.size() - sizeof length ? length : 0;
}

}  // namespace

std::string encode_tags(std::span<const std::string_view> tags) {
  std::string out;
  for (const std::string_view tag : tags) {
    const auto length = static_cast<Length>(tag.size());
    out.append(reinterpret_cast<const char*>(&length), sizeof length);
    out += tag;
  }
  return out;
}

bool are_tags(ByteView bytes) noexcept {
  for (std::size_t count = 0; !bytes.empty(); ++count) {
    const std::size_t length = first_length(bytes);
    if (length == 0 || count == kMaxTags) return false;
    bytes = bytes.subspan(sizeof(Length) + length);
  }
  return true;
}

std::string_view take_tag(ByteView& bytes) noexcept {
  const std::size_t length = first_length(bytes);
  const ByteView tag = bytes.subspan(sizeof(Length), length);
  bytes = bytes.subspan(sizeof(Length) + length);
  return {reinterpret_cast<const char*>(tag.data()), tag.size()};
}

std::vector<std::string_view> decode_tags(ByteView bytes) {
  std::vector<std::string_view> tags;
  while (!bytes.empty()) tags.push_back(take_tag(bytes));
  return tags;
}

}  // namespace vcache::base
