#include "l2/client/request.hpp"

#include <array>
#include <charconv>

namespace vcache::l2::client {

namespace {

constexpr std::size_t kDigits = 24;
constexpr std::string_view kLineEnd = "\r\n";

std::string_view digits(std::array<char, kDigits>& buffer, long long value) noexcept {
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

iovec piece(const void* data, std::size_t size) noexcept {
  return {.iov_base = const_cast<void*>(data), .iov_len = size};  // NOLINT(*-const-cast): read only
}

}  // namespace

void Request::clear() noexcept {
  drop_pieces();
  commands_ = 0;
  asking_ = false;
}

void Request::drop_pieces() noexcept {
  text_.clear();
  payloads_.clear();
  payload_bytes_ = 0;
}

void Request::length(char type, std::size_t value) {
  std::array<char, kDigits> buffer;  // NOLINT(*-member-init)
  text_ += type;
  text_ += digits(buffer, static_cast<long long>(value));
  text_ += kLineEnd;
}

void Request::command(std::size_t argc) {
  if (asking_) {
    text_ += "*1\r\n$6\r\nASKING\r\n";
    ++commands_;
  }
  length('*', argc);
  ++commands_;
}

void Request::argument(std::string_view text) {
  length('$', text.size());
  text_ += text;
  text_ += kLineEnd;
}

void Request::argument(std::string_view first, std::string_view second) {
  length('$', first.size() + second.size());
  text_ += first;
  text_ += second;
  text_ += kLineEnd;
}

void Request::number(long long value) {
  std::array<char, kDigits> buffer;  // NOLINT(*-member-init)
  argument(digits(buffer, value));
}

std::span<std::byte> Request::value(std::size_t head_size, base::ByteView payload) {
  length('$', head_size + payload.size());
  const std::size_t head = text_.size();
  text_.resize(head + head_size);
  if (!payload.empty()) payloads_.push_back({.at = text_.size(), .bytes = payload});
  payload_bytes_ += payload.size();
  text_ += kLineEnd;
  return std::as_writable_bytes(std::span(text_)).subspan(head, head_size);
}

void Request::pieces(std::vector<iovec>& out) const {
  out.clear();
  out.reserve(2 * payloads_.size() + 1);
  std::size_t begin = 0;
  for (const Payload& payload : payloads_) {
    out.push_back(piece(text_.data() + begin, payload.at - begin));
    out.push_back(piece(payload.bytes.data(), payload.bytes.size()));
    begin = payload.at;
  }
  out.push_back(piece(text_.data() + begin, text_.size() - begin));
}

}  // namespace vcache::l2::client
