#pragma once

#include <cstddef>

#include "l2/command/batch.hpp"
#include "l2/command/time.hpp"
#include "l2/redis_options.hpp"

namespace vcache::l2::command {

// What a new connection says first: who it is, which database, and what it must know (the
// server's time, the generation and the stamp). A user without the right to ask those goes on
// without.
class Login final : public Batch {
 public:
  Login(const Context& context, const RedisOptions& options) noexcept
      : Batch(context), options_(options) {}

  void append(client::Request& request) override;
  void on_part(const client::ReplyPart& part) noexcept override;

  // The reason why the connection cannot be used.
  [[nodiscard]] const base::Error& refusal() const noexcept { return refusal_; }

 private:
  void append_auth(client::Request& request) const;
  void on_error(const client::ReplyPart& part) noexcept;

  const RedisOptions& options_;
  TimeReply time_;
  std::size_t time_reply_ = 0;  // that of generation and stamp follows
  base::Error refusal_;
};

}  // namespace vcache::l2::command
