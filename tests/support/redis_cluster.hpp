#pragma once

#include <cstddef>
#include <deque>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "support/poll_until.hpp"
#include "support/ports.hpp"
#include "support/redis_server.hpp"

namespace vcache::testing {

// A real Redis Cluster: `primaries` nodes that share the slots evenly, then one replica of each.
class RedisCluster {
 public:
  static constexpr int kSlots = 16384;

  explicit RedisCluster(std::size_t primaries = 3, bool with_replicas = true,
                        const std::vector<std::string>& more = {})
      : primaries_(primaries), folder_(RedisServer::make_folder()) {
    const std::size_t count = with_replicas ? 2 * primaries : primaries;
    for (std::size_t i = 0; i < count; ++i) ports_.push_back(free_port());
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<std::string> arguments = {"--cluster-enabled",
                                            "yes",
                                            "--cluster-node-timeout",
                                            "500",
                                            "--cluster-replica-validity-factor",
                                            "0",
                                            "--repl-diskless-sync-delay",
                                            "0",
                                            "--cluster-config-file",
                                            write_config(i)};
      arguments.insert(arguments.end(), more.begin(), more.end());
      nodes_.emplace_back(arguments, ports_[i]);
    }
    await_all();
  }
  RedisCluster(const RedisCluster&) = delete;
  RedisCluster& operator=(const RedisCluster&) = delete;
  ~RedisCluster() {
    nodes_.clear();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
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

  [[nodiscard]] static std::string made_id(std::size_t index) {
    std::string id(40, 'a');
    id.back() = static_cast<char>('0' + index);
    return id;
  }

  // The file by which a node knows the cluster from the start, as its older self would have left
  // it.
  [[nodiscard]] std::string write_config(std::size_t self) const {
    const std::string path = (folder_ / ("nodes" + std::to_string(self))).string();
    std::ofstream out(path);
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      const bool primary = i < primaries_;
      out << made_id(i) << " 127.0.0.1:" << ports_[i] << '@' << ports_[i] + 10000 << ' '
          << (i == self ? "myself," : "") << (primary ? "master" : "slave") << ' '
          << (primary ? "-" : made_id(i - primaries_)) << " 0 0 "
          << (primary ? i : i - primaries_) + 1 << " connected";
      if (primary) out << ' ' << share(i) << '-' << share(i + 1) - 1;
      out << '\n';
    }
    out << "vars currentEpoch " << primaries_ << " lastVoteEpoch 0\n";
    return path;
  }

  void await_all() {
    expect([this](std::size_t i) { return is_well(i); });
    expect([this](std::size_t i) {
      const std::string wanted = i < primaries_ ? "role:master" : "master_link_status:up";
      return node(i).call({"INFO", "replication"}).find(wanted) != std::string::npos;
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
  const std::filesystem::path folder_;
  std::vector<int> ports_;
  std::deque<RedisServer> nodes_;
};

}  // namespace vcache::testing
