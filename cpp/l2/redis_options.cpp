#include "l2/redis_options.hpp"

#include <algorithm>
#include <string_view>

#include "l2/client/tls.hpp"

namespace vcache::l2 {

namespace {

constexpr int kMaxPort = 65535;
constexpr std::size_t kMaxSocketPath = 107;  // sun_path of Linux, with its closing NUL
constexpr std::size_t kMaxHost = 255;
constexpr std::size_t kMaxPool = 1024;
constexpr std::size_t kMaxNamespace = 64;
constexpr std::size_t kMaxValue = std::size_t{256} << 20;
constexpr base::Millis kMaxTimeout{3'600'000};

base::Error invalid(std::string text) { return {base::ErrorCode::kInvalid, std::move(text)}; }

bool is_namespace_byte(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

bool is_namespace(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kMaxNamespace &&
         std::ranges::all_of(text, is_namespace_byte);
}

bool has_nul(std::string_view text) noexcept { return text.find('\0') != std::string_view::npos; }

bool is_endpoint(const Endpoint& endpoint) noexcept {
  return !endpoint.host.empty() && endpoint.host.size() <= kMaxHost && !has_nul(endpoint.host) &&
         endpoint.port >= 1 && endpoint.port <= kMaxPort;
}

base::Error validate_address(const RedisOptions& options) {
  if (!options.unix_socket.empty()) {
    if (options.unix_socket.size() > kMaxSocketPath || has_nul(options.unix_socket)) {
      return invalid("unix_socket must be a path of at most 107 bytes without NUL");
    }
    return {};
  }
  if (options.host.empty() || options.host.size() > kMaxHost || has_nul(options.host)) {
    return invalid("host must be a name or address of 1 to 255 bytes without NUL");
  }
  if (options.port < 1 || options.port > kMaxPort) {
    return invalid("port must be 1 to 65535, not " + std::to_string(options.port));
  }
  return {};
}

base::Error validate_tls(const RedisOptions& options) {
  if (!options.tls) return {};
  const client::TlsOptions& tls = *options.tls;
  if (!options.unix_socket.empty()) return invalid("tls is not for a unix_socket");
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    return invalid("cert_file and key_file must be given together");
  }
  for (const std::string& path : {tls.ca_file, tls.cert_file, tls.key_file}) {
    if (has_nul(path)) return invalid("ca_file, cert_file and key_file must be without NUL");
  }
  base::Error error = client::check_tls(tls);
  if (!error.ok()) error.code = base::ErrorCode::kInvalid;
  return error;
}

base::Error validate_times(const RedisOptions& options) {
  if (options.timeout <= base::Millis::zero() || options.timeout > kMaxTimeout) {
    return invalid("timeout must be more than 0 and at most an hour");
  }
  if (options.connect_timeout <= base::Millis::zero() || options.connect_timeout > kMaxTimeout) {
    return invalid("connect_timeout must be more than 0 and at most an hour");
  }
  return {};
}

// Of one server, whatever it is to others.
base::Error validate_server(const RedisOptions& options) {
  if (base::Error error = validate_address(options); !error.ok()) return error;
  if (base::Error error = validate_times(options); !error.ok()) return error;
  if (base::Error error = validate_tls(options); !error.ok()) return error;
  if (options.db < 0) return invalid("db must be 0 or more, not " + std::to_string(options.db));
  if (options.pool_size < 1 || options.pool_size > kMaxPool) {
    return invalid("pool_size must be 1 to 1024, not " + std::to_string(options.pool_size));
  }
  if (!options.username.empty() && options.password.empty()) {
    return invalid("username needs a password");
  }
  if (!is_namespace(options.namespace_name)) {
    return invalid("namespace must be 1 to 64 of A-Z a-z 0-9 _ . -");
  }
  if (options.max_value < 1 || options.max_value > kMaxValue) {
    return invalid("max_value must be 1 byte to 256 MiB, not " + std::to_string(options.max_value));
  }
  return {};
}

base::Error validate_shards(const RedisOptions& options) {
  if (options.layout == Layout::kShards && options.shards.empty()) {
    return invalid("shards must be one server or more");
  }
  for (const auto& shard : options.shards) {
    if (base::Error error = validate_server(*shard); !error.ok()) return error;
  }
  return {};
}

base::Error validate_seeds(const RedisOptions& options) {
  const bool cluster = options.layout == Layout::kCluster;
  const bool sentinel = options.layout == Layout::kSentinel;
  if ((cluster || sentinel) && options.seeds.empty()) {
    return invalid("a cluster or sentinels must have one address or more");
  }
  if (!std::ranges::all_of(options.seeds, is_endpoint)) {
    return invalid("an address must be a host of 1 to 255 bytes without NUL and a port");
  }
  if (cluster && options.db != 0) return invalid("db must be 0 with a cluster");
  if (options.read_replicas && !cluster) return invalid("replicas are read of a cluster only");
  if (sentinel && (options.service.empty() || has_nul(options.service))) {
    return invalid("sentinels must be given the name of a service");
  }
  return {};
}

}  // namespace

std::string RedisOptions::address() const {
  return unix_socket.empty() ? host + ":" + std::to_string(port) : unix_socket;
}

base::Error RedisOptions::validate() const {
  if (base::Error error = validate_server(*this); !error.ok()) return error;
  if (base::Error error = validate_shards(*this); !error.ok()) return error;
  return validate_seeds(*this);
}

}  // namespace vcache::l2
