#pragma once

#include <cstddef>

#include "l2/client/server_error.hpp"
#include "l2/command/batch.hpp"
#include "l2/redis_options.hpp"

namespace vcache::l2::tracking {

// Makes a new connection one that is told of every change below the namespace's prefixes.
class Subscribe final : public command::Batch {
 public:
  Subscribe(const command::Context& context, const RedisOptions& options) noexcept
      : Batch(context), options_(options) {}

  void append(client::Request& request) override;
  void on_part(const client::ReplyPart& part) noexcept override;

  // The server, or what stands before it, never tells anybody, or not this user.
  [[nodiscard]] bool refused() const noexcept { return refused_; }

 private:
  void append_hello(client::Request& request) const;

  const RedisOptions& options_;
  bool refused_ = false;
};

}  // namespace vcache::l2::tracking
