#include "l1/access/access_lines.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace vcache::l1 {

namespace {

constexpr std::array<std::string_view, 3> kTiers = {"null", R"("memory")", R"("redis")"};
constexpr std::int64_t kMillisPerSecond = 1000;

// Of text without control characters.
std::string quoted_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

template <class Number>
void append_number(Number number, std::string& out) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_seconds(std::int64_t millis, std::string& out) {
  const std::int64_t rest = std::max<std::int64_t>(millis, 0);
  append_number(rest / kMillisPerSecond, out);
  const std::int64_t part = rest % kMillisPerSecond;
  out += '.';
  out += static_cast<char>('0' + part / 100);
  out += static_cast<char>('0' + part / 10 % 10);
  out += static_cast<char>('0' + part % 10);
}

void append_hex(std::uint64_t number, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[(number >> shift) & 15];
}

}  // namespace

std::string_view GroupNames::quoted(metrics::GroupId group) {
  const metrics::GroupId id = bounded(group);
  if (id >= quoted_.size()) {
    std::vector<std::string> names = groups_.names();
    names.resize(std::min(names.size(), kMost));
    for (std::size_t i = quoted_.size(); i < names.size(); ++i) {
      quoted_.push_back(quoted_text(names[i]));
    }
  }
  return quoted_[id];
}

void append_line(const Access& access, GroupNames& groups, std::string& out) {
  out += R"({"time":)";
  append_seconds(access.time, out);
  out += R"(,"key":")";
  append_hex(access.key, out);
  out += R"(","group":)";
  out += groups.quoted(access.group);
  out += R"(,"tier":)";
  out += kTiers[static_cast<std::size_t>(access.tier)];
  out += R"(,"size":)";
  append_number(access.size, out);
  out += R"(,"cost":)";
  append_number(access.cost, out);
  out += "}\n";
}

}  // namespace vcache::l1
