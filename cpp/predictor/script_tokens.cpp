#include "predictor/script_tokens.hpp"

#include <algorithm>
#include <string>

namespace vcache::predictor {

namespace {

constexpr std::size_t kMaxIndent = 256;
constexpr std::string_view kSigns = "()[]{}.,:=+-*/<>!&|~^%";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool starts_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool continues_name(char c) noexcept { return starts_name(c) || is_digit(c); }

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  base::Result<std::vector<Token>> run() {
    while (place_ < text_.size()) {
      if (!step()) return refused();
    }
    add(Token::Kind::kEnd, {});
    return std::move(tokens_);
  }

 private:
  bool step() {
    const char c = text_[place_];
    if (c == '\n') {
      add(Token::Kind::kNewline, text_.substr(place_++, 1));
      ++line_;
      return std::min(text_.find_first_not_of(' ', place_), text_.size()) - place_ <= kMaxIndent;
    } else if (c == ' ' || c == '\t') {
      ++place_;
    } else if (starts_name(c)) {
      take(Token::Kind::kName, continues_name);
      return place_ == text_.size() || !quote(text_[place_]);
    } else if (is_digit(c)) {
      take(Token::Kind::kNumber, [](char d) { return continues_name(d) || d == '.'; });
    } else if (quote(c)) {
      return take_string(c);
    } else if (kSigns.find(c) != std::string_view::npos) {
      add(Token::Kind::kSign, text_.substr(place_++, 1));
    } else {
      return false;
    }
    return true;
  }

  static bool quote(char c) noexcept { return c == '"' || c == '\''; }

  template <class Member>
  void take(Token::Kind kind, Member member) {
    const std::size_t begin = place_;
    while (place_ < text_.size() && member(text_[place_])) ++place_;
    add(kind, text_.substr(begin, place_ - begin));
  }

  bool take_string(char mark) {
    const std::size_t begin = ++place_;
    while (place_ < text_.size() && text_[place_] != mark && text_[place_] != '\n') {
      place_ += text_[place_] == '\\' ? 2 : 1;
    }
    if (place_ >= text_.size() || text_[place_] != mark) return false;
    add(Token::Kind::kString, text_.substr(begin, place_ - begin));
    ++place_;
    return place_ == text_.size() || !quote(text_[place_]);
  }

  void add(Token::Kind kind, std::string_view text) { tokens_.push_back({kind, text, line_}); }

  base::Error refused() const {
    return {.code = base::ErrorCode::kInvalid,
            .detail = "line " + std::to_string(line_) + ": not text that TorchScript writes"};
  }

  std::string_view text_;
  std::size_t place_ = 0;
  std::size_t line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

base::Result<std::vector<Token>> script_tokens(std::string_view text) {
  return Splitter(text).run();
}

}  // namespace vcache::predictor
