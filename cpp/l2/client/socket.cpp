#include "l2/client/socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "l2/client/errors.hpp"
#include "l2/client/wait.hpp"

namespace vcache::l2::client {

namespace {

constexpr unsigned kUserTimeoutMillis = 5000;
constexpr int kKeepAliveIdle = 10;     // seconds
constexpr int kKeepAliveInterval = 5;  // seconds
constexpr int kKeepAliveProbes = 3;

struct AddressListDeleter {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};

base::Error connect_error(base::Error error) {
  if (error.code == base::ErrorCode::kDisconnected) error.code = base::ErrorCode::kConnect;
  return error;
}

int pending_error(int descriptor) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

base::Result<Socket> connect(int family, const sockaddr& address, socklen_t size,
                             Deadline deadline) {
  Socket made(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (made.descriptor() < 0) return connect_error(socket_error(errno));
  if (::connect(made.descriptor(), &address, size) == 0) return made;
  if (errno != EINPROGRESS && errno != EINTR) return connect_error(socket_error(errno));
  short ready = 0;
  base::Error error = wait_ready(made.descriptor(), POLLOUT, deadline, ready);
  if (!error.ok()) return connect_error(std::move(error));
  const int refused = pending_error(made.descriptor());
  if (refused != 0) return connect_error(socket_error(refused));
  return made;
}

void tune(int descriptor) noexcept {
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdle);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveInterval);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMillis);
}

}  // namespace

void set_option(int descriptor, int level, int name, int value) noexcept {
  (void)setsockopt(descriptor, level, name, &value, sizeof value);
}

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

base::Result<Socket> Socket::connect_tcp(const std::string& address, int port, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int failed = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (failed != 0) return base::Error{base::ErrorCode::kConnect, gai_strerror(failed)};
  const std::unique_ptr<addrinfo, AddressListDeleter> first(list);
  base::Result<Socket> made =
      connect(first->ai_family, *first->ai_addr, first->ai_addrlen, deadline);
  if (made.ok()) tune(made.value().descriptor());
  return made;
}

base::Result<Socket> Socket::connect_unix(const std::string& path, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return base::Error{base::ErrorCode::kConnect, "the path of the socket is too long"};
  }
  std::ranges::copy(path, address.sun_path);
  return connect(AF_UNIX, reinterpret_cast<const sockaddr&>(address), sizeof address, deadline);
}

}  // namespace vcache::l2::client
