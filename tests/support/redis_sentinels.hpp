#pragma once

#include <array>
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

// A primary, a replica of it, and three sentinels that watch over both under the name "service".
class RedisSentinels {
 public:
  RedisSentinels() : folder_(RedisServer::make_folder()) {
    const std::vector<std::string> at_once = {"--repl-diskless-sync-delay", "0"};
    servers_.emplace_back(at_once);
    std::vector<std::string> follow = at_once;
    follow.insert(follow.end(), {"--replicaof", "127.0.0.1 " + std::to_string(servers_[0].port())});
    servers_.emplace_back(follow);
    await(servers_[1], {"INFO", "replication"}, "master_link_status:up");
    for (int& port : ports_) port = free_port();
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      sentinels_.emplace_back(std::vector<std::string>{}, ports_[i], write_config(i));
    }
    for (const RedisServer& sentinel : sentinels_) {
      await(sentinel, {"SENTINEL", "MASTER", "service"}, "flags master ");
    }
  }
  RedisSentinels(const RedisSentinels&) = delete;
  RedisSentinels& operator=(const RedisSentinels&) = delete;
  ~RedisSentinels() {
    sentinels_.clear();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] RedisServer& primary() { return servers_[0]; }
  [[nodiscard]] RedisServer& replica() { return servers_[1]; }
  [[nodiscard]] RedisServer& sentinel(std::size_t index) { return sentinels_.at(index); }
  // True when every sentinel names the replica as the primary.
  [[nodiscard]] bool agree_on_replica() const {
    const std::string address = "127.0.0.1 " + std::to_string(servers_[1].port()) + " ";
    for (const RedisServer& sentinel : sentinels_) {
      if (sentinel.call({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "service"}) != address)
        return false;
    }
    return true;
  }

 private:
  static std::string made_id(std::size_t index) {
    std::string id(40, 'b');
    id.back() = static_cast<char>('0' + index);
    return id;
  }

  // By which a sentinel knows all others from the start.
  [[nodiscard]] std::string write_config(std::size_t self) const {
    const std::string path = (folder_ / ("sentinel" + std::to_string(self))).string();
    std::ofstream out(path);
    out << "sentinel myid " << made_id(self) << "\nsentinel monitor service 127.0.0.1 "
        << servers_[0].port() << " 2\nsentinel down-after-milliseconds service 500\n"
        << "sentinel failover-timeout service 3000\nsentinel known-replica service 127.0.0.1 "
        << servers_[1].port() << '\n';
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      if (i == self) continue;
      out << "sentinel known-sentinel service 127.0.0.1 " << ports_[i] << ' ' << made_id(i) << '\n';
    }
    return path;
  }

  static void await(const RedisServer& server, const std::vector<std::string>& command,
                    const std::string& text) {
    const auto said = [&] { return server.call(command).find(text) != std::string::npos; };
    if (!poll_until(said, std::chrono::seconds(20))) {
      throw std::runtime_error("the sentinels did not come up");
    }
  }

  const std::filesystem::path folder_;
  std::array<int, 3> ports_{};
  std::deque<RedisServer> servers_;
  std::deque<RedisServer> sentinels_;
};

}  // namespace vcache::testing
