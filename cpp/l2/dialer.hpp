#pragma once

#include <memory>

#include "base/result.hpp"
#include "l2/client/connection.hpp"
#include "l2/client/deadline.hpp"
#include "l2/client/resolver.hpp"
#include "l2/client/transport.hpp"
#include "l2/command/context.hpp"
#include "l2/redis_options.hpp"

namespace vcache::l2 {

// Makes connections that are logged in. Thread-safe. The references must outlive it.
class Dialer {
 public:
  Dialer(const RedisOptions& options, const command::Context& context);

  // Within connect_timeout, and not past `deadline`. kAuth when the server refuses the user, kBusy
  // when it has too many clients.
  [[nodiscard]] base::Result<client::Connection> dial(client::Deadline deadline);
  // The same, not logged in.
  [[nodiscard]] base::Result<client::Connection> connect(client::Deadline deadline);

 private:
  const RedisOptions& options_;
  const command::Context& context_;
  const client::ReplyLimits limits_;
  client::Resolver resolver_;
  const std::unique_ptr<client::TransportMaker> tls_;  // null: none
};

}  // namespace vcache::l2
