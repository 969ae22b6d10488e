#include "base/glob.hpp"

#include <algorithm>
#include <cstddef>

namespace vcache::base {

namespace {

// One byte of text against what a pattern has for one byte; `at` moves behind that.
class OneByte {
 public:
  OneByte(std::string_view pattern, std::size_t& at) noexcept : pattern_(pattern), at_(at) {}

  // Requires: there is something at `at`, and that is no `*`.
  [[nodiscard]] bool matches(char byte) noexcept {
    const char first = pattern_[at_++];
    if (first == '?') return true;
    if (first == '[') return matches_set(byte);
    if (first != '\\' || at_ == pattern_.size()) return first == byte;
    return pattern_[at_++] == byte;
  }

 private:
  // A set that nothing closes ends with the pattern. Bytes are compared as signed, as there.
  [[nodiscard]] bool matches_set(char byte) noexcept {
    const bool negated = at_ < pattern_.size() && pattern_[at_] == '^';
    if (negated) ++at_;
    bool found = false;
    while (at_ < pattern_.size() && pattern_[at_] != ']') {
      const std::size_t left = pattern_.size() - at_;
      if (pattern_[at_] == '\\' && left >= 2) {
        found |= pattern_[at_ + 1] == byte;
        at_ += 2;
      } else if (left >= 3 && pattern_[at_ + 1] == '-') {
        const auto [low, high] = std::minmax<signed char>(
            {static_cast<signed char>(pattern_[at_]), static_cast<signed char>(pattern_[at_ + 2])});
        found |= low <= static_cast<signed char>(byte) && static_cast<signed char>(byte) <= high;
        at_ += 3;
      } else {
        found |= pattern_[at_++] == byte;
      }
    }
    if (at_ < pattern_.size()) ++at_;
    return found != negated;
  }

  const std::string_view pattern_;
  std::size_t& at_;
};

}  // namespace

// Where it does not go on, the last `*` takes one byte more: those before it need not.
bool matches_glob(std::string_view pattern, std::string_view text) noexcept {
  std::size_t at = 0;
  std::size_t i = 0;
  std::size_t behind_star = std::string_view::npos;
  std::size_t star_begins = 0;
  while (i < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      behind_star = ++at;
      star_begins = i;
    } else if (at < pattern.size() && OneByte(pattern, at).matches(text[i])) {
      ++i;
    } else if (behind_star != std::string_view::npos) {
      at = behind_star;
      i = ++star_begins;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

std::string glob_of_prefix(std::string_view prefix) {
  std::string out;
  out.reserve(prefix.size() + 1);
  for (const char byte : prefix) {
    if (std::string_view("*?[]\\^").find(byte) != std::string_view::npos) out += '\\';
    out += byte;
  }
  return out + '*';
}

}  // namespace vcache::base
