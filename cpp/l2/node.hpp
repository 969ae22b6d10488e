#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.hpp"
#include "base/keeper.hpp"
#include "base/result.hpp"
#include "l2/breaker.hpp"
#include "l2/command/batch.hpp"
#include "l2/command/context.hpp"
#include "l2/dialer.hpp"
#include "l2/error_kind.hpp"
#include "l2/news.hpp"
#include "l2/pool.hpp"
#include "l2/prober.hpp"
#include "l2/redis_options.hpp"
#include "l2/server_facts.hpp"

namespace vcache::l2 {

// One server as one process sees it: connections and breaker, whose probes the keeper sends.
// Thread-safe. The references must outlive it.
class Node {
 public:
  // What a node shares with the others of its session.
  struct Shared {
    const base::Clock& clock;
    ServerFacts& facts;
    ErrorCounters& errors;
    base::Keeper& keeper;
    News& news;
  };

  Node(RedisOptions options, const Shared& shared);
  ~Node() { keeper_.remove(prober_); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Sends the batch and has it read its replies, by `deadline`. The error is that of the
  // connection, or else the first one that the server answered with.
  [[nodiscard]] base::Error run(command::Batch& batch, client::Deadline deadline) noexcept;
  // The server refused a write for this reason: full memory pauses writes for a second, and a
  // server that became a replica gets new connections, which may lead to its successor.
  void on_write_refused(ErrorKind kind) noexcept;
  [[nodiscard]] bool writes_paused() const noexcept;
  // Whether calls are meant to go there, as they are at first. Of a server that left, connections
  // are given up, and the keeper does not probe it: who asks it all the same does.
  void attend(bool wanted) noexcept;
  // An attempt to ask the server ended so.
  void on_failure(const base::Error& error) noexcept;

  [[nodiscard]] const RedisOptions& options() const noexcept { return options_; }
  [[nodiscard]] const command::Context& context() const noexcept { return context_; }
  [[nodiscard]] Breaker& breaker() noexcept { return breaker_; }
  [[nodiscard]] const Breaker& breaker() const noexcept { return breaker_; }
  [[nodiscard]] Pool& pool() noexcept { return pool_; }
  [[nodiscard]] Dialer& dialer() noexcept { return dialer_; }

 private:
  void have_it_probed() noexcept;
  void on_breaker(Breaker::State state, Breaker::Verdict cause) noexcept;

  // Constant after construction.
  const RedisOptions options_;
  const base::Clock& clock_;

  // Own synchronization.
  ErrorCounters& errors_;
  base::Keeper& keeper_;
  News& news_;
  command::Context context_;
  Dialer dialer_;
  Pool pool_;
  Breaker breaker_;
  Prober prober_;
  std::atomic<bool> attended_{true};
  std::atomic<std::int64_t> opened_{0};        // when the breaker did so last
  std::atomic<std::int64_t> paused_until_{0};  // steady nanoseconds
  std::atomic<std::int64_t> renewed_{0};       // when connections were last given up for new ones
};

}  // namespace vcache::l2
