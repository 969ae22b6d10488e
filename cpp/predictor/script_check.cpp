#include "predictor/script_check.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "predictor/operators.hpp"
#include "predictor/script_tokens.hpp"

namespace vcache::predictor {

namespace {

using base::Error;
using base::ErrorCode;
using Names = std::unordered_set<std::string_view>;
using Kind = Token::Kind;

// The compiler of TorchScript recurses, so what nests is bounded.
constexpr std::size_t kMaxStatement = 4096;  // tokens
constexpr std::size_t kMaxDepth = 100;       // brackets

constexpr std::array<std::string_view, 11> kKeywords = {
    "and", "elif", "else", "for", "if", "in", "is", "not", "or", "pass", "return"};

bool keyword(std::string_view name) noexcept {
  return std::ranges::find(kKeywords, name) != kKeywords.end();
}

bool plain(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  out += text;
  out += '\'';
  return out;
}

// Walks over the tokens of one file once; `message_` holds what was found first.
class Check {
 public:
  Check(const std::vector<Token>& tokens, const Names& defined)
      : tokens_(tokens), defined_(defined) {
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      if (tokens[i].kind == Kind::kName && sign(i + 1, "=")) assigned_.insert(tokens[i].text);
    }
  }

  // Empty when nothing is wrong.
  std::string run() {
    for (std::size_t i = 0; i < tokens_.size() && message_.empty(); ++i) {
      follow_structure(i);
      if (tokens_[i].kind == Kind::kName) check_name(i);
    }
    return std::move(message_);
  }

 private:
  // A header runs from def or class to its colon; an annotated line from `name :` to its end.
  enum class Place : std::uint8_t { kElsewhere, kHeader, kAnnotated };

  void follow_structure(std::size_t i) {
    const Token& token = tokens_[i];
    if (token.kind == Kind::kNewline && depth_ == 0) end_statement(i);
    if (i - statement_ > kMaxStatement) refuse(i, "a statement is too long");
    if (token.kind == Kind::kName && starts_line(i)) begin_line(i);
    if (token.kind == Kind::kSign) follow_sign(i, token.text);
  }

  void end_statement(std::size_t i) {
    place_ = Place::kElsewhere;
    statement_ = i;
  }

  void follow_sign(std::size_t i, std::string_view sign) {
    if (sign == "(" && place_ != Place::kElsewhere && called(i)) {
      refuse(i, "a default or annotation calls something");
    }
    if (opens(sign) && ++depth_ > kMaxDepth) refuse(i, "brackets are nested too deep");
    if (closes(sign) && depth_-- == 0) refuse(i, "a bracket closes that was not open");
    if (sign == ":" && depth_ == 0 && place_ == Place::kHeader) place_ = Place::kElsewhere;
  }

  void begin_line(std::size_t i) {
    if (tokens_[i].text == "def" || tokens_[i].text == "class") {
      place_ = Place::kHeader;
    } else if (sign(i + 1, ":") && !keyword(tokens_[i].text)) {
      place_ = Place::kAnnotated;
    }
  }

  // Whether the parenthesis at `i` calls what stands before it; `def name(` does not.
  bool called(std::size_t i) const {
    if (i == 0) return false;
    const Token& before = tokens_[i - 1];
    if (before.kind == Kind::kName) return !declared(i - 1) && !keyword(before.text);
    return before.kind == Kind::kString || before.text == ")" || before.text == "]";
  }

  void check_name(std::size_t i) {
    const std::string_view name = tokens_[i].text;
    if (name_forbidden(name)) {
      refuse(i, quoted(name) + " is not allowed in a model");
    } else if (after_dot(i)) {
      check_attribute(i);
    } else if (name == "torch") {
      check_operator(i, "aten");
    } else if (name == "ops") {
      check_space(i);
    } else if (name == "getattr") {
      check_getattr(i);
    } else if (sign(i + 1, "(")) {
      check_call(i);
    }
  }

  void check_attribute(std::size_t i) {
    if (!sign(i + 1, "(") || of_path(i) || defined_.contains(tokens_[i].text)) return;
    if (operator_allowed("aten::" + std::string(tokens_[i].text))) return;
    refuse(i, "method " + quoted(tokens_[i].text) + " is not an allowed operator");
  }

  // At `torch` or at the name after `ops.`: NAME of SPACE must follow.
  void check_operator(std::size_t i, std::string_view space) {
    std::string kind(space);
    kind += "::";
    if (sign(i + 1, ".")) kind += tokens_[i + 2].text;
    if (!operator_allowed(kind)) refuse(i, quoted(kind) + " is not an allowed operator");
  }

  void check_space(std::size_t i) {
    if (sign(i + 1, ".")) return check_operator(i + 2, tokens_[i + 2].text);
    refuse(i, "'ops' must be followed by the name of an operator");
  }

  // The attribute must be spelled out: it is a name like those elsewhere in the text.
  void check_getattr(std::size_t i) {
    std::size_t depth = 0;
    std::size_t end = i + 1;
    for (; tokens_[end].kind != Kind::kEnd; ++end) {
      if (sign(end, "(")) ++depth;
      if (sign(end, ")") && --depth == 0) break;
    }
    const Token& attribute = tokens_[end - 1];
    const bool spelled = attribute.kind == Kind::kString && plain(attribute.text);
    if (!spelled || name_forbidden(attribute.text)) refuse(i, "getattr of a name not allowed");
  }

  void check_call(std::size_t i) {
    const std::string_view name = tokens_[i].text;
    if (declared(i) || keyword(name) || builtin_allowed(name)) return;
    if (defined_.contains(name) || assigned_.contains(name)) return;
    refuse(i, quoted(name) + " is not an allowed function");
  }

  // Whether the name at `i` ends a path from __torch__ (a function or class of the text), torch or
  // ops (looked at there), not an attribute of a value.
  bool of_path(std::size_t i) const {
    std::size_t root = i;
    while (root >= 2 && sign(root - 1, ".") && tokens_[root - 2].kind == Kind::kName) root -= 2;
    const std::string_view name = tokens_[root].text;
    return !after_dot(root) && (name == "__torch__" || name == "torch" || name == "ops");
  }

  bool starts_line(std::size_t i) const {
    return depth_ == 0 && (i == 0 || tokens_[i - 1].kind == Kind::kNewline);
  }
  bool after_dot(std::size_t i) const { return i > 0 && sign(i - 1, "."); }
  bool declared(std::size_t i) const {
    return i > 0 && (tokens_[i - 1].text == "def" || tokens_[i - 1].text == "class");
  }
  bool sign(std::size_t i, std::string_view text) const {
    return i < tokens_.size() && tokens_[i].kind == Kind::kSign && tokens_[i].text == text;
  }
  static bool opens(std::string_view text) { return text == "(" || text == "[" || text == "{"; }
  static bool closes(std::string_view text) { return text == ")" || text == "]" || text == "}"; }

  void refuse(std::size_t i, const std::string& what) {
    if (message_.empty()) message_ = "line " + std::to_string(tokens_[i].line) + ": " + what;
  }

  const std::vector<Token>& tokens_;
  const Names& defined_;
  Names assigned_;
  Place place_ = Place::kElsewhere;
  std::size_t depth_ = 0;
  std::size_t statement_ = 0;  // where it begins
  std::string message_;
};

void collect_definitions(const std::vector<Token>& tokens, Names& names) {
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (tokens[i].kind != Kind::kName) continue;
    if (tokens[i].text == "def" || tokens[i].text == "class") names.insert(tokens[i + 1].text);
  }
}

}  // namespace

Error check_script(std::span<const ScriptFile> files) {
  std::vector<std::vector<Token>> tokens;
  Names defined;
  for (const ScriptFile& file : files) {
    auto split = script_tokens(file.text);
    if (!split.ok()) {
      return {.code = ErrorCode::kInvalid, .detail = file.name + " " + split.error().detail};
    }
    collect_definitions(split.value(), defined);
    tokens.push_back(std::move(split).value());
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string found = Check(tokens[i], defined).run();
    if (!found.empty()) {
      return {.code = ErrorCode::kInvalid, .detail = files[i].name + " " + found};
    }
  }
  return {};
}

}  // namespace vcache::predictor
