#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <optional>

#include "base/keeper.hpp"
#include "l2/cluster/lookout.hpp"
#include "l2/cluster/node_table.hpp"
#include "l2/error_kind.hpp"
#include "l2/redis_options.hpp"
#include "l2/server_facts.hpp"

namespace vcache::l2::cluster {

// The primary that sentinels name. All are asked at once, and the answer of most of them counts:
// when nothing is known, when something went wrong, and every second. Thread-safe.
class Sentinel final : private base::Chore {
 public:
  // The references must outlive it. `changed` is called when next_primary() has changed, and does
  // not throw. Requires: options.seeds is not empty.
  Sentinel(const RedisOptions& options, const base::Clock& clock, NodeTable& nodes,
           base::Keeper& keeper, std::function<void()> changed);
  ~Sentinel();
  Sentinel(const Sentinel&) = delete;
  Sentinel& operator=(const Sentinel&) = delete;

  // Waits until a primary is known.
  [[nodiscard]] base::Error ready(client::Deadline deadline) noexcept;
  // nullptr: none was ever named.
  [[nodiscard]] Node* primary() const noexcept { return primary_.load(std::memory_order_acquire); }
  // What primary() is about to be, or is.
  [[nodiscard]] Node* next_primary() const noexcept {
    return next_primary_.load(std::memory_order_acquire);
  }
  // The primary did not answer, or took no write.
  void on_trouble() noexcept { lookout_.want(); }

  void close() noexcept;
  // See Pool::abandon().
  void abandon() noexcept;

 private:
  [[nodiscard]] base::Millis run() noexcept override;
  void interrupt() noexcept override {}
  // Asks all sentinels; empty: none of them named a primary.
  [[nodiscard]] std::optional<Endpoint> ask();
  void learn(const std::optional<Endpoint>& named) noexcept;

  // Constant after construction.
  const RedisOptions& options_;
  const std::function<void()> changed_;

  // Own synchronization.
  NodeTable& nodes_;
  base::Keeper& keeper_;
  ServerFacts facts_;     // of the sentinels, as are the next three
  ErrorCounters errors_;  // nobody is told: a sentinel that is away is no error
  News untold_;
  std::deque<Node> sentinels_;
  std::atomic<Node*> next_primary_{nullptr};
  std::atomic<Node*> primary_{nullptr};
  Lookout lookout_;

  // Of the chore.
  std::optional<client::Deadline> last_;
};

}  // namespace vcache::l2::cluster
