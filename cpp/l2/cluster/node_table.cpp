#include "l2/cluster/node_table.hpp"

#include <exception>

namespace vcache::l2::cluster {

Node* NodeTable::add(const RedisOptions& options) {
  const base::MutexLock lock(mutex_);
  return add_locked(options);
}

Node* NodeTable::add_locked(RedisOptions options) {
  const std::size_t place = count_.load(std::memory_order_relaxed);
  if (place == kMost) return nullptr;
  nodes_[place] = std::make_unique<Node>(std::move(options), shared_);
  count_.store(place + 1, std::memory_order_release);
  return nodes_[place].get();
}

Node* NodeTable::find(const Endpoint& address, bool replica) noexcept {
  try {
    const base::MutexLock lock(mutex_);
    Node*& place = by_address_[{address, replica}];
    if (place != nullptr) return place;
    RedisOptions options = options_;
    options.host = address.host;
    options.port = address.port;
    options.unix_socket.clear();
    options.reads_replica = replica;
    place = add_locked(std::move(options));
    return place;
  } catch (const std::exception&) {
    return nullptr;
  }
}

void NodeTable::close() noexcept {
  for (std::size_t i = 0; i < size(); ++i) (*this)[i].pool().close();
}

void NodeTable::abandon() noexcept {
  for (std::size_t i = 0; i < size(); ++i) (*this)[i].pool().abandon();
}

}  // namespace vcache::l2::cluster
