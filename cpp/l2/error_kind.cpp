#include "l2/error_kind.hpp"

#include <exception>

namespace vcache::l2 {

namespace {

constexpr std::array<std::string_view, kErrorKinds> kNames = {
    "timeout",    "connect",         "disconnected", "protocol",    "auth",
    "pool",       "breaker_open",    "memory",       "tls",         "corrupt",
    "mismatch",   "version",         "too_big",      "foreign",     "decrypt",
    "oom",        "readonly",        "noreplicas",   "misconf",     "loading",
    "masterdown", "server_busy",     "noperm",       "max_clients", "cluster",
    "wrongtype",  "unknown_command", "server"};

constexpr base::Nanos kBetweenReports = std::chrono::minutes(1);

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

void ErrorCounters::report(ErrorKind kind, const Reporting& to) noexcept {
  const auto place = static_cast<std::size_t>(kind);
  const base::Nanos now = to.clock.steady();
  std::int64_t until = quiet_until_[place].load(std::memory_order_relaxed);
  const bool due = until == 0 || now.count() >= until;
  if (!due ||
      !quiet_until_[place].compare_exchange_strong(until, (now + kBetweenReports).count())) {
    return;
  }
  const std::uint64_t count = counts_[place].load(std::memory_order_relaxed);
  const std::uint64_t more = count - reported_[place].exchange(count, std::memory_order_relaxed);
  try {
    to.news.tell({.level = Event::Level::kWarning,
                  .text = "errors of kind " + std::string(kNames[place]) + ": " +
                          std::to_string(more) + " since the last report of them"});
  } catch (const std::exception&) {
    return;
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
