#pragma once

#include <sys/types.h>

#include "base/clock.hpp"
#include "l2/client/deadline.hpp"
#include "l2/error_kind.hpp"
#include "l2/keeper.hpp"
#include "l2/news.hpp"
#include "l2/node.hpp"
#include "l2/redis_options.hpp"
#include "l2/server_facts.hpp"

namespace vcache::l2 {

// All that one process has of the shared tier: its servers, with their connections and breakers,
// what is known of them, and what went wrong. Thread-safe. Belongs to the process that made it: a
// forked child abandons its parent's and makes one of its own.
class Session {
 public:
  // The references must outlive it.
  Session(const RedisOptions& options, const base::Clock& clock);
  ~Session() { close(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // When a call that begins now must have ended.
  [[nodiscard]] client::Deadline deadline() const noexcept {
    return client::Deadline::clock::now() + options_.timeout;
  }
  [[nodiscard]] Node& node() noexcept { return node_; }
  [[nodiscard]] ServerFacts& facts() noexcept { return facts_; }
  [[nodiscard]] ErrorCounters& errors() noexcept { return errors_; }
  [[nodiscard]] Keeper& keeper() noexcept { return keeper_; }
  [[nodiscard]] News& news() noexcept { return news_; }
  [[nodiscard]] pid_t process() const noexcept { return process_; }

  // Closes all connections and stops the keeper; every later call of a node is kClosed.
  void close() noexcept;
  // In a forked child, instead of the destructor: closes this process' copies of the sockets, and
  // takes no lock, since a thread that the child does not have may hold it for ever.
  void abandon() noexcept;

 private:
  // Constant after construction.
  const RedisOptions& options_;
  const pid_t process_;

  // Own synchronization.
  ServerFacts facts_;
  News news_;
  ErrorCounters errors_;
  Keeper keeper_;
  Node node_;
};

}  // namespace vcache::l2
