#pragma once

#include <cstddef>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/poll_until.hpp"
#include "support/redis_server.hpp"

namespace vcache::testing {

// A real Redis Cluster: `primaries` nodes that share the slots evenly, then one replica of each.
class RedisCluster {
 public:
  static constexpr int kSlots = 16384;

  explicit RedisCluster(std::size_t primaries = 3, bool with_replicas = true,
                        std::vector<std::string> arguments = {})
      : primaries_(primaries) {
    const std::vector<std::string> own = {"--cluster-enabled", "yes", "--cluster-node-timeout",
                                          "500", "--cluster-replica-validity-factor", "0",
                                          "--repl-diskless-sync-delay", "0"};
    arguments.insert(arguments.begin(), own.begin(), own.end());
    const std::size_t count = with_replicas ? 2 * primaries : primaries;
    for (std::size_t i = 0; i < count; ++i) nodes_.emplace_back(arguments);
    join();
  }

  [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }
  [[nodiscard]] RedisServer& node(std::size_t index) { return nodes_.at(index); }
  [[nodiscard]] RedisServer& replica_of(std::size_t primary) {
    return nodes_.at(primary + primaries_);
  }
  [[nodiscard]] std::string id(std::size_t index) { return node(index).call({"CLUSTER", "MYID"}); }

  // The primary that held the slot when the cluster began.
  [[nodiscard]] std::size_t first_owner(int slot) const {
    for (std::size_t i = 0; i < primaries_; ++i) {
      if (slot < share(i + 1)) return i;
    }
    throw std::runtime_error("no such slot");
  }

  // Moves a slot, with what is in it, and tells all primaries.
  void move_slot(int slot, std::size_t from, std::size_t to) {
    begin_move(slot, from, to);
    move_keys(slot, from, to);
    end_move(slot, to);
  }
  void begin_move(int slot, std::size_t from, std::size_t to) {
    const std::string number = std::to_string(slot);
    node(to).call({"CLUSTER", "SETSLOT", number, "IMPORTING", id(from)});
    node(from).call({"CLUSTER", "SETSLOT", number, "MIGRATING", id(to)});
  }
  void move_keys(int slot, std::size_t from, std::size_t to) {
    for (;;) {
      const std::string key =
          node(from).call({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), "1"});
      if (key.empty()) return;
      node(from).call({"MIGRATE", "127.0.0.1", std::to_string(node(to).port()),
                       key.substr(0, key.size() - 1), "0", "5000"});
    }
  }
  void end_move(int slot, std::size_t to) {
    const std::string target = id(to);
    node(to).call({"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", target});
    for (std::size_t i = 0; i < primaries_; ++i) {
      node(i).call({"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", target});
    }
  }

  // True when this node says that all is well.
  [[nodiscard]] bool is_well(std::size_t index) {
    return node(index).call({"CLUSTER", "INFO"}).starts_with("cluster_state:ok");
  }

 private:
  [[nodiscard]] int share(std::size_t index) const {
    return static_cast<int>(index * kSlots / primaries_);
  }

  void join() {
    for (std::size_t i = 0; i < size(); ++i) {
      node(i).call({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
    }
    for (std::size_t i = 0; i < primaries_; ++i) {
      node(i).call({"CLUSTER", "ADDSLOTSRANGE", std::to_string(share(i)),
                    std::to_string(share(i + 1) - 1)});
    }
    for (std::size_t i = 1; i < size(); ++i) {
      node(0).call({"CLUSTER", "MEET", "127.0.0.1", std::to_string(node(i).port())});
    }
    const std::string known = "cluster_known_nodes:" + std::to_string(size());
    expect([&](std::size_t i) {
      return node(i).call({"CLUSTER", "INFO"}).find(known) != std::string::npos;
    });
    for (std::size_t i = primaries_; i < size(); ++i) {
      node(i).call({"CLUSTER", "REPLICATE", id(i - primaries_)});
    }
    expect([this](std::size_t i) { return is_well(i); });
    expect([this](std::size_t i) {
      const std::string wanted = i < primaries_ ? "role:master" : "master_link_status:up";
      return node(i).call({"INFO", "replication"}).find(wanted) != std::string::npos;
    });
    expect([this](std::size_t i) {
      const std::string slots = node(i).call({"CLUSTER", "SLOTS"});
      for (std::size_t other = 0; other < size(); ++other) {
        if (slots.find(std::to_string(node(other).port())) == std::string::npos) return false;
      }
      return true;
    });
  }

  template <class Condition>
  void expect(Condition holds_for) {
    const bool all = poll_until([&] {
      for (std::size_t i = 0; i < size(); ++i) {
        if (!holds_for(i)) return false;
      }
      return true;
    });
    if (!all) throw std::runtime_error("the cluster did not come up");
  }

  const std::size_t primaries_;
  std::deque<RedisServer> nodes_;
};

}  // namespace vcache::testing
