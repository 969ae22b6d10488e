#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <utility>

#include "base/mutex.hpp"
#include "l2/node.hpp"
#include "l2/redis_options.hpp"

namespace vcache::l2::cluster {

// All servers that a session has met. One that left a cluster keeps its place, since it may come
// back. Thread-safe. The references must outlive it.
class NodeTable {
 public:
  NodeTable(const RedisOptions& options, const Node::Shared& shared)
      : options_(options), shared_(shared) {}

  // The node of a server of its own options, made anew.
  Node* add(const RedisOptions& options);
  // The node at that address; nullptr when there are too many.
  [[nodiscard]] Node* at(const Endpoint& address) noexcept { return find(address, false); }
  // The same as a replica, which is asked for leave to read there.
  [[nodiscard]] Node* replica_at(const Endpoint& address) noexcept { return find(address, true); }

  // What all of them share.
  [[nodiscard]] const Node::Shared& shared() const noexcept { return shared_; }
  [[nodiscard]] std::size_t size() const noexcept { return count_.load(std::memory_order_acquire); }
  // Requires: index < size().
  [[nodiscard]] Node& operator[](std::size_t index) const noexcept { return *nodes_[index]; }

  void close() noexcept;
  // See Pool::abandon().
  void abandon() noexcept;

 private:
  static constexpr std::size_t kMost = 1024;

  [[nodiscard]] Node* find(const Endpoint& address, bool replica) noexcept;
  [[nodiscard]] Node* add_locked(RedisOptions options) VCACHE_REQUIRES(mutex_);

  // Constant after construction.
  const RedisOptions& options_;
  const Node::Shared shared_;

  // Own synchronization.
  std::atomic<std::size_t> count_{0};
  std::array<std::unique_ptr<Node>, kMost> nodes_;  // those below count_ do not change

  base::Mutex mutex_;
  std::map<std::pair<Endpoint, bool>, Node*> by_address_ VCACHE_GUARDED_BY(mutex_);
};

}  // namespace vcache::l2::cluster
