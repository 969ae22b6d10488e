#pragma once

#include <string>
#include <utility>

#include "base/result.hpp"
#include "l2/client/deadline.hpp"

namespace vcache::l2::client {

// A connected socket that never blocks, closed with this object.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) noexcept : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  // Requires: `address` is numeric.
  [[nodiscard]] static base::Result<Socket> connect_tcp(const std::string& address, int port,
                                                        Deadline deadline);
  [[nodiscard]] static base::Result<Socket> connect_unix(const std::string& path,
                                                         Deadline deadline);

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_ = -1;
};

// Options tune: a kernel without one still carries the connection.
void set_option(int descriptor, int level, int name, int value) noexcept;

}  // namespace vcache::l2::client
