#include "l2/client/socket_bio.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <new>

namespace vcache::l2::client {

namespace {

bool would_block(int error_number) noexcept {
  return error_number == EAGAIN || error_number == EWOULDBLOCK || error_number == EINTR;
}

SocketBio& self(BIO* bio) noexcept { return *static_cast<SocketBio*>(BIO_get_data(bio)); }

}  // namespace

int SocketBio::write(BIO* bio, const char* data, int size) noexcept {
  SocketBio& socket = self(bio);
  BIO_clear_retry_flags(bio);
  const ssize_t sent =
      ::send(socket.descriptor_, data, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    socket.error_number_ = errno;
    if (would_block(errno)) BIO_set_retry_write(bio);
  }
  return static_cast<int>(sent);
}

int SocketBio::read(BIO* bio, char* data, int size) noexcept {
  SocketBio& socket = self(bio);
  BIO_clear_retry_flags(bio);
  const ssize_t received =
      ::recv(socket.descriptor_, data, static_cast<std::size_t>(size), MSG_DONTWAIT);
  if (received <= 0) {
    socket.error_number_ = received == 0 ? 0 : errno;
    if (received < 0 && would_block(errno)) BIO_set_retry_read(bio);
  }
  return static_cast<int>(received);
}

long SocketBio::control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) noexcept {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// Kept for the whole process: connections of other threads may outlive every static object.
const BIO_METHOD& SocketBio::method() {
  static const BIO_METHOD& only = []() -> const BIO_METHOD& {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "vcache socket");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_write(made, write);
    BIO_meth_set_read(made, read);
    BIO_meth_set_ctrl(made, control);
    return *made;
  }();
  return only;
}

BIO* SocketBio::make() {
  BIO* const bio = BIO_new(&method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace vcache::l2::client
