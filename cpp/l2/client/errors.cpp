#include "l2/client/errors.hpp"

#include <cerrno>
#include <system_error>

namespace vcache::l2::client {

namespace {

base::ErrorCode code_of(int error_number) noexcept {
  switch (error_number) {
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return base::ErrorCode::kTimeout;
    case ECONNREFUSED:
    case ENOENT:
    case EACCES:
    case EADDRNOTAVAIL:
    case EMFILE:
    case ENFILE:
      return base::ErrorCode::kConnect;
    default:
      return base::ErrorCode::kDisconnected;
  }
}

}  // namespace

base::Error socket_error(int error_number) {
  return {code_of(error_number), std::generic_category().message(error_number)};
}

base::Error closed_error() {
  return {base::ErrorCode::kDisconnected, "the server closed the connection"};
}

}  // namespace vcache::l2::client
