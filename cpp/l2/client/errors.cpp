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

base::Error context_error(const redisContext& context, int error_number) {
  switch (context.err) {
    case REDIS_ERR_IO:
      return socket_error(error_number);
    case REDIS_ERR_EOF:
      return {base::ErrorCode::kDisconnected, "the server closed the connection"};
    case REDIS_ERR_TIMEOUT:
      return {base::ErrorCode::kTimeout, context.errstr};
    case REDIS_ERR_PROTOCOL:
      return {base::ErrorCode::kProtocol, context.errstr};
    default:
      return {base::ErrorCode::kConnect, context.errstr};
  }
}

}  // namespace vcache::l2::client
