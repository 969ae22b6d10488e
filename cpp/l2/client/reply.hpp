#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vcache::l2::client {

enum class ReplyType : std::uint8_t { kString, kStatus, kInteger, kNil, kArray, kError };

// One node of a reply. `text` is valid during ReplySink::on_part only.
struct ReplyPart {
  ReplyType type = ReplyType::kNil;
  std::size_t reply = 0;     // which reply of the batch
  std::size_t depth = 0;     // 0: the reply itself
  std::size_t index = 0;     // place in the aggregate that holds it
  std::string_view text{};   // of strings, statuses and errors
  std::int64_t integer = 0;  // value; of arrays the number of elements
};

class Request;

// Receives the replies of a batch, node by node, in order, while they arrive.
class ReplySink {
 public:
  ReplySink() = default;
  virtual ~ReplySink() = default;
  ReplySink(const ReplySink&) = delete;
  ReplySink& operator=(const ReplySink&) = delete;

  virtual void on_part(const ReplyPart& part) noexcept = 0;
  // Asked when all commands so far are sent: adds some more, or returns false when there are none.
  // A large batch is so made while its beginning is on its way.
  [[nodiscard]] virtual bool append_more(Request& /*request*/) { return false; }
};

// Receives what a server says unasked (RESP3 pushes), node by node, each whole before the next.
class PushSink {
 public:
  PushSink() = default;
  virtual ~PushSink() = default;
  PushSink(const PushSink&) = delete;
  PushSink& operator=(const PushSink&) = delete;

  // Depth 0 is the push itself, an array of its parts. `part.reply` says nothing.
  virtual void on_push_part(const ReplyPart& part) noexcept = 0;
  virtual void on_push_end() noexcept = 0;
};

}  // namespace vcache::l2::client
