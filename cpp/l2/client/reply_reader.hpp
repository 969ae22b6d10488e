#pragma once

#include <hiredis/read.h>

#include <cstddef>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "l2/client/reply.hpp"

namespace vcache::l2::client {

// Most that a reply may be; more is a protocol error before anything is allocated for it.
struct ReplyLimits {
  std::size_t string_bytes = std::size_t{17} << 20;
  long long elements = 1 << 20;
  int depth = 8;
};

// Where the parser's callbacks hand their nodes.
struct Delivery {
  ReplySink* sink = nullptr;
  PushSink* pushes = nullptr;  // none: they are skipped
  std::size_t replies = 0;     // whole ones so far
  std::size_t string_bytes = 0;
  bool oversized = false;
};

struct ReaderDeleter {
  void operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }
};

// hiredis' parser, fed in place and handing each node to a visitor: no reply object is built and
// nothing is copied. RESP3 pushes are no replies: they go to a sink of their own, or nowhere.
// Pinned, because the parser keeps its address.
class ReplyReader {
 public:
  explicit ReplyReader(const ReplyLimits& limits);
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  // Room for the next bytes from the peer; empty when memory is short. `replies` are to come: the
  // parser moves what is behind each of them to the front, so that of many not much is taken at
  // once.
  [[nodiscard]] std::span<char> room(std::size_t replies = 1) noexcept;
  // The first `size` bytes of room() were filled.
  void commit(std::size_t size) noexcept;
  // Where pushes go from now on. Outlives the reader.
  void send_pushes_to(PushSink& sink) noexcept { delivery_.pushes = &sink; }
  // Hands over what has arrived, up to `limit` whole replies since begin(), with the pushes before
  // and behind them. An error is final.
  [[nodiscard]] base::Error parse(ReplySink& sink, std::size_t limit) noexcept;

  // Starts counting replies from 0.
  void begin() noexcept { delivery_.replies = 0; }
  [[nodiscard]] std::size_t replies() const noexcept { return delivery_.replies; }
  // True when no byte of a reply is held.
  [[nodiscard]] bool empty() const noexcept;
  // True when what comes next, or is being read, is a push.
  [[nodiscard]] bool at_push() const noexcept;
  // True when parse() failed because a string was over the limit.
  [[nodiscard]] bool oversized() const noexcept { return delivery_.oversized; }

 private:
  [[nodiscard]] base::Error parse_one(bool& complete);
  [[nodiscard]] base::Error check_pending();
  [[nodiscard]] base::Error check_pending_string(std::string_view rest);
  void release_consumed() noexcept;

  std::unique_ptr<redisReader, ReaderDeleter> reader_;
  Delivery delivery_;
  std::size_t wanted_ = 0;  // bytes that complete the string being read; 0: unknown
};

}  // namespace vcache::l2::client
