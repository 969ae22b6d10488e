#pragma once

#include <openssl/ssl.h>
#include <poll.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "l2/client/socket_bio.hpp"
#include "l2/client/tls_context.hpp"
#include "l2/client/transport.hpp"

namespace vcache::l2::client {

// Bytes encrypted on their way. Short pieces are gathered into one record; long ones are encrypted
// from where they lie.
class TlsTransport final : public Transport {
 public:
  TlsTransport(Socket socket, TlsContext context);

  // Waits until both peers have agreed. The peer must prove to be `host` where the context asks for
  // a certificate.
  [[nodiscard]] base::Error shake_hands(const std::string& host, Deadline deadline);

  [[nodiscard]] base::Result<std::size_t> send(std::span<iovec> pieces) override;
  [[nodiscard]] Received receive(std::span<char> room) override;
  [[nodiscard]] short send_events() const noexcept override { return send_events_; }
  [[nodiscard]] short receive_events() const noexcept override { return receive_events_; }
  // Of encrypted bytes nobody knows how many must come.
  void expect(std::size_t /*bytes*/) noexcept override {}
  [[nodiscard]] bool quiet() noexcept override;
  [[nodiscard]] int descriptor() const noexcept override { return socket_.descriptor(); }

 private:
  struct SslDeleter {
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
  };

  [[nodiscard]] base::Error name_peer(const std::string& host);
  [[nodiscard]] std::span<const std::byte> next_record(std::span<const iovec> pieces);
  // What a call that returned `result` says: nothing where it is to be made again at `events`.
  [[nodiscard]] base::Error check(int result, short& events);
  [[nodiscard]] base::Error refusal() const;

  const TlsContext context_;
  Socket socket_;
  SocketBio wire_;
  std::unique_ptr<SSL, SslDeleter> ssl_;
  std::vector<std::byte> record_;  // gathered, until it is sent as a whole
  bool record_waits_ = false;      // for the socket, with bytes that must not change
  bool trusted_ = false;           // the peer has sent something, so it took our certificate
  short send_events_ = POLLOUT;
  short receive_events_ = POLLIN;
};

}  // namespace vcache::l2::client
