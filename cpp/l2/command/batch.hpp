#pragma once

#include "base/result.hpp"
#include "l2/client/reply.hpp"
#include "l2/client/request.hpp"
#include "l2/client/server_error.hpp"
#include "l2/command/context.hpp"
#include "l2/l2.hpp"

namespace vcache::l2::command {

// Commands that go out in one write, and the reading of their replies. Used by one thread.
class Batch : public client::ReplySink {
 public:
  explicit Batch(const Context& context) noexcept : context_(context) {}

  // Adds the commands for what has no answer yet. Called again when the batch is sent again.
  virtual void append(client::Request& request) = 0;
  // Asked when all replies are there: adds commands that follow from them and must go out on the
  // same connection, or returns false when there are none.
  [[nodiscard]] virtual bool append_next(client::Request& /*request*/) { return false; }
  // True where doing without an answer costs more than waiting for a connection that others use.
  [[nodiscard]] virtual bool is_worth_waiting() const noexcept { return false; }
  // True when sending it twice does no harm.
  [[nodiscard]] virtual bool repeatable() const noexcept { return false; }
  // A reply is longer than anything of ours. True: the batch can do without that one.
  [[nodiscard]] virtual bool skip_oversized() noexcept { return false; }

  // The first error reply, cut to what may be shown.
  [[nodiscard]] const base::Error& error() const noexcept { return error_; }
  // The worst that replies said about the server.
  [[nodiscard]] client::Health health() const noexcept { return health_; }
  // True when replies may not belong to their requests, or the connection was left in some state of
  // ours: it must go.
  [[nodiscard]] bool suspicious() const noexcept { return suspicious_; }

 protected:
  // Counts an error reply.
  client::ServerError note_error(const client::ReplyPart& part) noexcept;
  // The same, but that a right is missing is only counted: the batch does without. False then.
  bool note_unless_forbidden(const client::ReplyPart& part) noexcept;
  // The reply has another form than its command can have.
  void note_nonsense() noexcept;
  void count(ErrorKind kind) noexcept { context_.errors.add(kind); }
  // A value is altered, or another request's: the fault may be its own or the connection's.
  void suspect() noexcept;
  void drop_connection() noexcept { suspicious_ = true; }
  // Takes over what another batch has to say of the server and the connection.
  void absorb(const Batch& other) noexcept;

  // Reads the namespace's generation; one reply, an array of one.
  void append_generation(client::Request& request) const;
  // Sets it. Takes effect only where there is none: all processes then see the first one's.
  void append_new_generation(client::Request& request, std::uint64_t generation) const;
  // The number in such a reply's element; 0 when there is none.
  [[nodiscard]] static std::uint64_t read_generation(const client::ReplyPart& part) noexcept;

  const Context& context_;

 private:
  base::Error error_;
  client::Health health_ = client::Health::kFine;
  bool suspicious_ = false;
};

}  // namespace vcache::l2::command
