#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace vcache::l2::command {

// The number that `text` is, all of it.
template <class T>
[[nodiscard]] std::optional<T> to_number(std::string_view text) noexcept {
  T value{};
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, status] = std::from_chars(begin, end, value);
  if (status != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace vcache::l2::command
