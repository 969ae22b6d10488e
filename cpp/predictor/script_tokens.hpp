#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace vcache::predictor {

struct Token {
  enum class Kind : std::uint8_t { kName, kNumber, kString, kSign, kNewline, kEnd };

  Kind kind = Kind::kEnd;
  std::string_view text{};  // of a string: what is between the quotes, escapes as written
  std::size_t line = 0;
};

// Splits the text of a serialized TorchScript file. The last token is kEnd. Only what TorchScript
// itself writes is understood: comments, long strings, string prefixes, continued lines and
// non-ASCII text outside strings are refused, so that no two readers can differ about them; so is
// indentation deeper than a reader may recurse.
[[nodiscard]] base::Result<std::vector<Token>> script_tokens(std::string_view text);

}  // namespace vcache::predictor
