#include "l2/client/connection.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vcache::l2::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

sockaddr_in address_of(const std::string& host, int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, host.c_str(), &out.sin_addr);
  return out;
}

class Socket {
 public:
  Socket() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() { ::close(descriptor_); }
  [[nodiscard]] int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

// Listens, and takes no connection once a few wait: the kernel then drops what asks for more.
class Listener {
 public:
  Listener(const std::string& host, int port) {
    const sockaddr_in address = address_of(host, port);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    EXPECT_EQ(::listen(socket_.get(), 0), 0);
  }
  [[nodiscard]] int port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

 private:
  Socket socket_;
};

// An address that answers nothing.
class DeadAddress {
 public:
  DeadAddress(const std::string& host, int port) : listener_(host, port) {
    const sockaddr_in address = address_of(host, port);
    for (int i = 0; i < 8; ++i) {
      const Socket& waiting = waiting_.emplace_back();
      (void)::connect(waiting.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
  }

 private:
  Listener listener_;
  std::vector<Socket> waiting_;
};

TEST(ConnectionTest, ADeadAddressLeavesTimeForTheOthers) {
  const Listener alive("127.0.0.1", 0);
  const DeadAddress first("127.0.0.2", alive.port());
  const DeadAddress second("127.0.0.3", alive.port());
  const auto start = Deadline::clock::now();
  const std::vector<std::string> addresses = {"127.0.0.2", "127.0.0.3", "127.0.0.1"};
  auto connection = Connection::open_any(addresses, alive.port(), {}, start + milliseconds(600));
  EXPECT_TRUE(connection.ok());
  EXPECT_GE(Deadline::clock::now() - start, milliseconds(400)) << "two shares of three";
}

TEST(ConnectionTest, AnAddressThatRefusesCostsNoTime) {
  const Listener alive("127.0.0.1", 0);
  const auto start = Deadline::clock::now();
  const std::vector<std::string> addresses = {"127.0.0.2", "127.0.0.1"};
  EXPECT_TRUE(Connection::open_any(addresses, alive.port(), {}, start + seconds(20)).ok());
  EXPECT_LT(Deadline::clock::now() - start, seconds(5));
}

TEST(ConnectionTest, WithNoLiveAddressTheDeadlineHolds) {
  const Listener port("127.0.0.1", 0);
  const DeadAddress dead("127.0.0.2", port.port());
  const auto start = Deadline::clock::now();
  const std::vector<std::string> addresses = {"127.0.0.2", "127.0.0.2"};
  auto connection = Connection::open_any(addresses, port.port(), {}, start + milliseconds(100));
  ASSERT_FALSE(connection.ok());
  EXPECT_EQ(connection.error().code, base::ErrorCode::kTimeout);
  EXPECT_GE(Deadline::clock::now() - start, milliseconds(100));
}

}  // namespace
}  // namespace vcache::l2::client
