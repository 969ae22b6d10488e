#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

namespace vcache::testing {

// A TCP proxy in front of a local server that spoils what the server says. The faults may be set
// and taken back while it runs; each counts how often it struck.
class FaultProxy {
 public:
  explicit FaultProxy(int upstream) : upstream_(upstream), listener_(listen_somewhere()) {
    acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
  }
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;
  ~FaultProxy() {
    acceptor_.request_stop();
    acceptor_.join();
    connections_.clear();
    ::close(listener_);
  }

  [[nodiscard]] int port() const noexcept { return port_; }

  std::atomic<int> drip_millis{0};      // between two bytes; 0: no drip
  std::atomic<bool> black_hole{false};  // replies are swallowed
  std::atomic<bool> one_byte_segments{false};
  std::atomic<int> cut_after{-1};      // bytes of a reply stream, then a reset; -1: never
  std::atomic<int> resets{0};          // so many pieces of replies become a reset instead
  std::atomic<int> flip_at{-1};        // byte of the next piece of a reply to alter; -1: none
  std::atomic<bool> duplicate{false};  // each piece of a reply comes twice
  std::atomic<std::uint64_t> faults{0};
  std::atomic<std::uint64_t> accepted{0};

 private:
  using Buffer = std::array<char, 16384>;

  int listen_somewhere() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(socket, 128) != 0 ||
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("the proxy cannot listen");
    }
    port_ = ntohs(address.sin_port);
    return socket;
  }

  void accept_all(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd entry{.fd = listener_, .events = POLLIN, .revents = 0};
      if (::poll(&entry, 1, 5) <= 0) continue;
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) continue;
      ++accepted;
      connections_.emplace_back(
          [this, client](const std::stop_token& inner) { serve(client, inner); });
    }
  }

  [[nodiscard]] int connect_upstream() const {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(upstream_));
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      return socket;
    }
    ::close(socket);
    return -1;
  }

  void serve(int client, const std::stop_token& stop) {
    const int server = connect_upstream();
    const int on = 1;
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::size_t replied = 0;
    while (server >= 0 && !stop.stop_requested()) {
      std::array<pollfd, 2> entries = {pollfd{.fd = client, .events = POLLIN, .revents = 0},
                                       pollfd{.fd = server, .events = POLLIN, .revents = 0}};
      if (::poll(entries.data(), entries.size(), 5) <= 0) continue;
      if (entries[0].revents != 0 && !forward(client, server)) break;
      if (entries[1].revents != 0 && !reply(server, client, replied, stop)) break;
    }
    if (server >= 0) ::close(server);
    ::close(client);
  }

  static bool send_all(int to, std::span<const char> bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(size));
    }
    return true;
  }

  static bool forward(int from, int to) {
    Buffer buffer;
    const ssize_t size = ::recv(from, buffer.data(), buffer.size(), 0);
    return size > 0 && send_all(to, {buffer.data(), static_cast<std::size_t>(size)});
  }

  bool reply(int server, int client, std::size_t& replied, const std::stop_token& stop) {
    Buffer buffer;
    const ssize_t received = ::recv(server, buffer.data(), buffer.size(), 0);
    if (received <= 0) return false;
    std::span<char> bytes(buffer.data(), static_cast<std::size_t>(received));
    if (black_hole) return ++faults, true;
    if (const int at = flip_at; at >= 0 && static_cast<std::size_t>(at) < bytes.size()) {
      bytes[static_cast<std::size_t>(at)] ^= 1;
      ++faults;
    }
    const bool strikes = resets > 0 && resets.fetch_sub(1) > 0;
    const int limit = strikes ? 0 : cut_after.load();
    if (limit >= 0 && replied + bytes.size() >= static_cast<std::size_t>(limit)) {
      const std::size_t left =
          static_cast<std::size_t>(limit) - std::min(replied, static_cast<std::size_t>(limit));
      send_all(client, bytes.first(left));
      const linger reset{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      return ++faults, false;
    }
    replied += bytes.size();
    if (duplicate && (++faults, !send_all(client, bytes))) return false;
    return drip_millis > 0 || one_byte_segments ? trickle(client, bytes, stop)
                                                : send_all(client, bytes);
  }

  bool trickle(int client, std::span<const char> bytes, const std::stop_token& stop) {
    ++faults;
    for (; !bytes.empty() && !stop.stop_requested(); bytes = bytes.subspan(1)) {
      if (!send_all(client, bytes.first(1))) return false;
      if (const int pause = drip_millis; pause > 0) ::poll(nullptr, 0, pause);
    }
    return true;
  }

  const int upstream_;
  int port_ = 0;
  const int listener_;
  std::vector<std::jthread> connections_;  // of the acceptor, until it has ended
  std::jthread acceptor_;
};

}  // namespace vcache::testing
