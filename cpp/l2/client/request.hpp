#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.hpp"

namespace vcache::l2::client {

// A batch of commands in RESP form, ready for sendmsg. Short arguments are copied into one buffer;
// payloads are referenced and must outlive the batch. Not thread-safe; keeps its memory on clear().
class Request {
 public:
  void clear() noexcept;
  // Forgets the pieces, which were sent, but not how many replies are owed.
  void drop_pieces() noexcept;

  // Begins a command of `argc` arguments, which must follow.
  void command(std::size_t argc);
  void argument(std::string_view text);
  // The concatenation of both parts.
  void argument(std::string_view first, std::string_view second);
  void number(long long value);
  // An argument of `head_size` bytes, to be filled by the caller before the next call, and
  // `payload`.
  [[nodiscard]] std::span<std::byte> value(std::size_t head_size, base::ByteView payload);

  // From now on each command is preceded by ASKING, which has a reply of its own.
  void ask_first(bool on) noexcept { asking_ = on; }

  // Replies that the batch calls for.
  [[nodiscard]] std::size_t commands() const noexcept { return commands_; }
  // Bytes of all pieces.
  [[nodiscard]] std::size_t size() const noexcept { return text_.size() + payload_bytes_; }
  // Fills `out` with the pieces in order. Valid until the next change.
  void pieces(std::vector<iovec>& out) const;

 private:
  struct Payload {
    std::size_t at;  // place in text_ before which it goes
    base::ByteView bytes;
  };

  void length(char type, std::size_t value);

  std::string text_;
  std::vector<Payload> payloads_;
  std::size_t payload_bytes_ = 0;
  std::size_t commands_ = 0;
  bool asking_ = false;
};

}  // namespace vcache::l2::client
