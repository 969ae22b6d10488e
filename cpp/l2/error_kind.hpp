#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "l2/news.hpp"

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
  ErrorCounters() = default;
  // Tells of each kind at once, and then once a minute while there are more. The references must
  // outlive it.
  ErrorCounters(News& news, const base::Clock& clock) noexcept
      : reporting_({.news = news, .clock = clock}) {}

  void add(ErrorKind kind, std::uint64_t n = 1) noexcept {
    counts_[static_cast<std::size_t>(kind)].fetch_add(n, std::memory_order_relaxed);
    if (reporting_ && kind != ErrorKind::kBreakerOpen) report(kind, *reporting_);
  }
  // Those that are not 0.
  [[nodiscard]] std::map<std::string, std::uint64_t> snapshot() const;

 private:
  struct Reporting {
    News& news;
    const base::Clock& clock;
  };

  void report(ErrorKind kind, const Reporting& to) noexcept;

  const std::optional<Reporting> reporting_;
  std::array<std::atomic<std::uint64_t>, kErrorKinds> counts_{};
  std::array<std::atomic<std::uint64_t>, kErrorKinds> reported_{};    // of those
  std::array<std::atomic<std::int64_t>, kErrorKinds> quiet_until_{};  // steady nanoseconds
};

}  // namespace vcache::l2
