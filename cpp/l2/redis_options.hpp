#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "l2/client/tls_options.hpp"
#include "l2/codec/packing.hpp"

namespace vcache::l2 {

// Where a server listens.
struct Endpoint {
  std::string host;
  int port = 6379;

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// What the servers are to each other.
enum class Layout : std::uint8_t {
  kOneServer,
  kShards,    // independent servers that share the keys
  kCluster,   // a Redis Cluster
  kSentinel,  // one primary, named by sentinels
};

// How to reach Redis, and what may be stored there.
struct RedisOptions {
  std::string host = "127.0.0.1";
  int port = 6379;
  std::string unix_socket = {};  // a path; when set, host and port are not used
  int db = 0;
  std::string username = {};
  std::string password = {};
  std::optional<client::TlsOptions> tls = {};  // absent: the bytes travel as they are
  std::size_t pool_size = 16;                  // most connections at once
  base::Millis timeout{250};                   // of a whole call, connecting included
  base::Millis connect_timeout{500};           // of connecting and logging in, within `timeout`
  std::string namespace_name = "vcache";
  std::size_t max_value = std::size_t{16} << 20;  // most bytes of one payload
  base::Millis grace{0};                          // how long Redis keeps what has expired
  codec::Packing packing = {};

  bool tracking = true;  // be told of what other processes change
  Layout layout = Layout::kOneServer;
  std::vector<std::shared_ptr<const RedisOptions>> shards = {};  // kShards: each is one server
  // kCluster: nodes to ask who holds which slots; kSentinel: the sentinels. In both cases host,
  // port and unix_socket are not used.
  std::vector<Endpoint> seeds = {};
  bool read_replicas = false;  // kCluster: also from replicas that keep up
  bool reads_replica = false;  // of a node: it is one
  std::string service = {};    // kSentinel: the name of the primary
  std::string sentinel_username = {};
  std::string sentinel_password = {};

  // Where the node is, to be shown: HOST:PORT or the path of its socket.
  [[nodiscard]] std::string address() const;
  // What the server's database is known by in every process: ADDRESS/DB.
  [[nodiscard]] std::string name() const { return address() + "/" + std::to_string(db); }
  // kInvalid with a text that names the option, never the password.
  [[nodiscard]] base::Error validate() const;
};

}  // namespace vcache::l2
