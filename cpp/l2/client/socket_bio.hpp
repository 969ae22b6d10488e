#pragma once

#include <openssl/bio.h>

namespace vcache::l2::client {

// What OpenSSL reads and writes through: a socket, without the SIGPIPE that OpenSSL's own way
// raises where the peer is gone. To be owned by a SSL.
class SocketBio {
 public:
  explicit SocketBio(int descriptor) noexcept : descriptor_(descriptor) {}
  SocketBio(const SocketBio&) = delete;
  SocketBio& operator=(const SocketBio&) = delete;

  // A new BIO over this object, which must outlive it; nullptr when memory is short.
  [[nodiscard]] BIO* make();
  // Of the last call that failed; 0: the peer closed.
  [[nodiscard]] int error_number() const noexcept { return error_number_; }

 private:
  static const BIO_METHOD& method();
  static int write(BIO* bio, const char* data, int size) noexcept;
  static int read(BIO* bio, char* data, int size) noexcept;
  static long control(BIO* bio, int command, long number, void* pointer) noexcept;

  const int descriptor_;
  int error_number_ = 0;
};

}  // namespace vcache::l2::client
