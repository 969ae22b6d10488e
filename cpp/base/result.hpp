#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace vcache::base {

enum class ErrorCode : std::uint8_t {
  kOk,            // no error
  kInvalid,       // an argument is outside what is allowed
  kTimeout,       // the deadline of the whole call passed
  kConnect,       // no connection could be made
  kDisconnected,  // the peer closed or reset the connection
  kProtocol,      // the peer sent something that is not RESP, or more than the limits allow
  kServer,        // the server answered with an error
  kAuth,          // credentials or permissions refused
  kBusy,          // no connection was free in time
  kBreakerOpen,   // not asked: the circuit breaker is open
  kClosed,        // not asked: the object is closed
  kTls,           // the peers could not agree on TLS, or one refused the other's certificate
  kInterrupted,   // a signal handler raised while the call waited
  kForbidden,     // the server will not do that for this user, now or later
};

[[nodiscard]] constexpr std::string_view to_string(ErrorCode code) noexcept {
  constexpr std::array<std::string_view, 14> kNames = {
      "ok",   "invalid", "timeout",      "connect", "disconnected", "protocol",    "server",
      "auth", "busy",    "breaker_open", "closed",  "tls",          "interrupted", "forbidden"};
  return kNames[static_cast<std::size_t>(code)];
}

struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::kOk;
  std::string detail = {};

  [[nodiscard]] bool ok() const noexcept { return code == ErrorCode::kOk; }
};

// A value or an error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  // Requires: ok().
  [[nodiscard]] T& value() & { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
  // Requires: !ok().
  [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace vcache::base
