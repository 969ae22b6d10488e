#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace vcache::l2 {

// What went wrong, as it is counted. The names are those of Status::errors.
enum class ErrorKind : std::uint8_t {
  kTimeout,
  kConnect,
  kDisconnected,
  kProtocol,
  kAuth,
  kPool,         // no connection was free in time
  kBreakerOpen,  // not asked
  kMemory,       // an allocation failed here
  kTls,          // the handshake failed, or a certificate was refused
  // A stored value was refused.
  kCorrupt,
  kMismatch,
  kVersion,
  kTooBig,
  kForeign,
  kDecrypt,
  // The server answered with an error.
  kOom,
  kReadOnly,
  kNoReplicas,
  kMisconf,
  kLoading,
  kMasterDown,
  kServerBusy,
  kNoPerm,
  kMaxClients,
  kCluster,
  kWrongType,
  kUnknownCommand,
  kServer,  // any other error
};
inline constexpr std::size_t kErrorKinds = static_cast<std::size_t>(ErrorKind::kServer) + 1;

[[nodiscard]] std::string_view to_string(ErrorKind kind) noexcept;
[[nodiscard]] ErrorKind kind_of(base::ErrorCode code) noexcept;

// One counter per kind. Thread-safe.
class ErrorCounters {
 public:
  void add(ErrorKind kind, std::uint64_t n = 1) noexcept {
    counts_[static_cast<std::size_t>(kind)].fetch_add(n, std::memory_order_relaxed);
  }
  // Those that are not 0.
  [[nodiscard]] std::map<std::string, std::uint64_t> snapshot() const;

 private:
  std::array<std::atomic<std::uint64_t>, kErrorKinds> counts_{};
};

}  // namespace vcache::l2
