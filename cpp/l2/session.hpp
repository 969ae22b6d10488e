#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/keeper.hpp"
#include "base/result.hpp"
#include "l2/client/deadline.hpp"
#include "l2/cluster/node_table.hpp"
#include "l2/cluster/sentinel.hpp"
#include "l2/cluster/topology.hpp"
#include "l2/command/batch.hpp"
#include "l2/error_kind.hpp"
#include "l2/key_waiters.hpp"
#include "l2/l2.hpp"
#include "l2/listener.hpp"
#include "l2/news.hpp"
#include "l2/node.hpp"
#include "l2/redis_options.hpp"
#include "l2/server_facts.hpp"
#include "l2/tracking/links.hpp"
#include "l2/tracking/told.hpp"

namespace vcache::l2 {

// All that one process has of the shared tier: its servers, with their connections and breakers,
// what is known of them, and what went wrong. Thread-safe. Belongs to the process that made it: a
// forked child abandons its parent's and makes one of its own.
class Session {
 public:
  // The references must outlive it.
  Session(const RedisOptions& options, const base::Clock& clock, Listener& listener);
  ~Session() { close(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // When a call that begins now must have ended.
  [[nodiscard]] client::Deadline deadline() const noexcept {
    return client::Deadline::clock::now() + options_.timeout;
  }
  // At every call that needs the servers: the first has the links begin.
  void begin() noexcept { links_->start(); }
  // Waits until it is known where to send a call; an error when it is not.
  [[nodiscard]] base::Error ready(client::Deadline deadline) noexcept;

  // True when keys lie on several servers, as topology() says.
  [[nodiscard]] bool several() const noexcept { return topology_ != nullptr; }
  // Requires: several().
  [[nodiscard]] cluster::Topology& topology() noexcept { return *topology_; }
  // The server of all keys; of several, the one that holds the namespace's own keys, as far as that
  // is known.
  [[nodiscard]] Node& node() noexcept;
  // The breaker of the server of all keys, where that is the same for good; else null.
  [[nodiscard]] const Breaker* only_breaker() const noexcept {
    return options_.layout == Layout::kOneServer ? &nodes_[0].breaker() : nullptr;
  }
  // Runs a batch about the key of these two parts, the second of which is the user's, by whoever
  // has it.
  [[nodiscard]] base::Error run(std::string_view prefix, std::string_view key,
                                command::Batch& batch, client::Deadline deadline) noexcept;
  // Runs a batch about the namespace's own keys.
  [[nodiscard]] base::Error run_own(command::Batch& batch, client::Deadline deadline) noexcept;
  // All servers that calls were or could be sent to.
  [[nodiscard]] const cluster::NodeTable& nodes() const noexcept { return nodes_; }
  // The server of all keys did not answer, or refused what it should not.
  void on_trouble() noexcept;

  [[nodiscard]] ServerFacts& facts() noexcept { return facts_; }
  [[nodiscard]] ErrorCounters& errors() noexcept { return errors_; }
  [[nodiscard]] base::Keeper& keeper() noexcept { return keeper_; }
  [[nodiscard]] News& news() noexcept { return news_; }
  // True while one of its threads makes up for what is owed; whoever sets it does so.
  [[nodiscard]] std::atomic<bool>& paying() noexcept { return paying_; }
  // Hears of changes.
  [[nodiscard]] Listener& listener() noexcept { return told_; }
  [[nodiscard]] KeyWaiters& waiters() noexcept { return waiters_; }
  [[nodiscard]] pid_t process() const noexcept { return process_; }

  // Fills in what is known here, without asking a server.
  void describe(Status& status);

  // Closes all connections and stops the keeper; every later call of a node is kClosed.
  void close() noexcept;
  // In a forked child, instead of the destructor: closes this process' copies of the sockets, and
  // takes no lock, since a thread that the child does not have may hold it for ever.
  void abandon() noexcept;

 private:
  // What makes connections to those that hold keys now.
  [[nodiscard]] std::vector<std::shared_ptr<Dialer>> servers();
  void describe_breakers(Status& status);
  [[nodiscard]] base::Error run_one(command::Batch& batch, client::Deadline deadline) noexcept;
  [[nodiscard]] base::Error run_at(cluster::Place place, command::Batch& batch,
                                   client::Deadline deadline) noexcept;

  // Constant after construction.
  const RedisOptions& options_;
  const pid_t process_;

  // Own synchronization.
  ServerFacts facts_;
  News news_;
  std::atomic<bool> paying_{false};
  ErrorCounters errors_;
  base::Keeper keeper_;
  KeyWaiters waiters_;
  cluster::NodeTable nodes_;
  std::unique_ptr<cluster::Sentinel> sentinel_;  // where sentinels name the server
  std::unique_ptr<cluster::Topology> topology_;  // where there are several servers
  tracking::Told told_;
  std::unique_ptr<tracking::Links> links_;
};

}  // namespace vcache::l2
