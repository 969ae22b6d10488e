#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "l2/client/errors.hpp"
#include "l2/client/transport.hpp"

namespace vcache::l2::client {

namespace {

constexpr std::size_t kMaxPieces = 512;  // of one sendmsg; the kernel takes 1024

bool would_block(int error_number) noexcept {
  return error_number == EAGAIN || error_number == EWOULDBLOCK;
}

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(Socket socket) noexcept : socket_(std::move(socket)) {}

  [[nodiscard]] base::Result<std::size_t> send(std::span<iovec> pieces) override;
  [[nodiscard]] Received receive(std::span<char> room) override;
  [[nodiscard]] short send_events() const noexcept override { return POLLOUT; }
  [[nodiscard]] short receive_events() const noexcept override { return POLLIN; }
  void expect(std::size_t bytes) noexcept override;
  [[nodiscard]] bool quiet() noexcept override;
  [[nodiscard]] int descriptor() const noexcept override { return socket_.descriptor(); }

 private:
  Socket socket_;
  std::size_t low_water_ = 1;  // bytes that must have arrived before a wait ends
};

base::Result<std::size_t> PlainTransport::send(std::span<iovec> pieces) {
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = std::min(kMaxPieces, pieces.size());
  for (;;) {
    const ssize_t size = sendmsg(descriptor(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size >= 0) return static_cast<std::size_t>(size);
    if (would_block(errno)) return std::size_t{0};
    if (errno != EINTR) return socket_error(errno);
  }
}

Transport::Received PlainTransport::receive(std::span<char> room) {
  for (;;) {
    const ssize_t size = recv(descriptor(), room.data(), room.size(), MSG_DONTWAIT);
    if (size > 0) return {.bytes = static_cast<std::size_t>(size)};
    if (size == 0) return {.error = closed_error()};
    if (would_block(errno)) return {};
    if (errno != EINTR) return {.error = socket_error(errno)};
  }
}

void PlainTransport::expect(std::size_t bytes) noexcept {
  if (bytes == low_water_) return;
  set_option(descriptor(), SOL_SOCKET, SO_RCVLOWAT, static_cast<int>(bytes));
  low_water_ = bytes;
}

bool PlainTransport::quiet() noexcept {
  char byte = 0;
  const ssize_t size = recv(descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size < 0 && (would_block(errno) || errno == EINTR);
}

class PlainTransports final : public TransportMaker {
 public:
  [[nodiscard]] base::Result<std::unique_ptr<Transport>> make(
      Socket socket, Deadline /*deadline*/) const override {
    return std::unique_ptr<Transport>(std::make_unique<PlainTransport>(std::move(socket)));
  }
};

}  // namespace

const TransportMaker& plain_transports() noexcept {
  static const PlainTransports maker;
  return maker;
}

}  // namespace vcache::l2::client
