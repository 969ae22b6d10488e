#include "l2/error_kind.hpp"

namespace vcache::l2 {

namespace {

constexpr std::array<std::string_view, kErrorKinds> kNames = {
    "timeout",    "connect",         "disconnected", "protocol",    "auth",
    "pool",       "breaker_open",    "memory",       "tls",         "corrupt",
    "mismatch",   "version",         "too_big",      "foreign",     "decrypt",
    "oom",        "readonly",        "noreplicas",   "misconf",     "loading",
    "masterdown", "server_busy",     "noperm",       "max_clients", "cluster",
    "wrongtype",  "unknown_command", "server"};

}  // namespace

std::string_view to_string(ErrorKind kind) noexcept {
  return kNames[static_cast<std::size_t>(kind)];
}

ErrorKind kind_of(base::ErrorCode code) noexcept {
  switch (code) {
    case base::ErrorCode::kTimeout:
      return ErrorKind::kTimeout;
    case base::ErrorCode::kConnect:
      return ErrorKind::kConnect;
    case base::ErrorCode::kDisconnected:
      return ErrorKind::kDisconnected;
    case base::ErrorCode::kProtocol:
      return ErrorKind::kProtocol;
    case base::ErrorCode::kAuth:
      return ErrorKind::kAuth;
    case base::ErrorCode::kBusy:
      return ErrorKind::kPool;
    case base::ErrorCode::kBreakerOpen:
      return ErrorKind::kBreakerOpen;
    case base::ErrorCode::kTls:
      return ErrorKind::kTls;
    default:
      return ErrorKind::kServer;
  }
}

std::map<std::string, std::uint64_t> ErrorCounters::snapshot() const {
  std::map<std::string, std::uint64_t> out;
  for (std::size_t i = 0; i < kErrorKinds; ++i) {
    const std::uint64_t count = counts_[i].load(std::memory_order_relaxed);
    if (count != 0) out.emplace(kNames[i], count);
  }
  return out;
}

}  // namespace vcache::l2
