#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace vcache::testing {

// Ports of loopback that no other test process is given until this one ends: a Unix socket whose
// name is the block's reserves them. All are below those that the system gives to connections, one
// of which would take a port whose server is down for a while; so are the second ports of cluster
// nodes, 10,000 above. ports.py shares the blocks with the tests in Python.
class PortBlock {
 public:
  static constexpr int kFirst = 10'000;
  static constexpr int kBlocks = 100;
  static constexpr int kSize = 100;

  PortBlock() : mark_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    for (int i = 0; i < kBlocks; ++i) {
      const int block = (::getpid() + i) % kBlocks;
      if (!reserve(block)) continue;
      first_ = kFirst + block * kSize;
      return;
    }
    throw std::runtime_error("no free block of ports");
  }
  PortBlock(const PortBlock&) = delete;
  PortBlock& operator=(const PortBlock&) = delete;
  ~PortBlock() { ::close(mark_); }

  // The next port that nobody listens on.
  [[nodiscard]] int next() {
    for (int i = 0; i < kSize; ++i) {
      const int port = first_ + turn_++ % kSize;
      if (is_free(port)) return port;
    }
    throw std::runtime_error("no free port");
  }

 private:
  [[nodiscard]] bool reserve(int block) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "vcache-test-ports-" + std::to_string(block);
    name.copy(address.sun_path + 1, name.size());  // behind a zero: of no file
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    return ::bind(mark_, reinterpret_cast<const sockaddr*>(&address), size) == 0;
  }

  [[nodiscard]] static bool is_free(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;  // as servers do
    ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool bound = ::bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    return bound;
  }

  const int mark_;
  int first_ = 0;
  int turn_ = 0;
};

// A port that nobody listens on, and that no other test process is given meanwhile.
[[nodiscard]] inline int free_port() {
  static PortBlock ports;
  return ports.next();
}

}  // namespace vcache::testing
