#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "l2/client/deadline.hpp"
#include "l2/client/socket.hpp"

namespace vcache::l2::client {

// How the bytes of one connection travel. Never blocks; used by one thread at a time.
class Transport {
 public:
  struct Received {
    std::size_t bytes = 0;  // also of an error: what came before it
    base::Error error = {};
  };

  Transport() = default;
  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Takes bytes off the front of `pieces`; how many, 0: none until poll() says so. What is not
  // taken must be offered again, the same bytes in the same pieces.
  [[nodiscard]] virtual base::Result<std::size_t> send(std::span<iovec> pieces) = 0;
  // Fills `room`. Less than all of it: there is no more until poll() says so.
  [[nodiscard]] virtual Received receive(std::span<char> room) = 0;
  // The events of poll() at which send() and receive() can go on.
  [[nodiscard]] virtual short send_events() const noexcept = 0;
  [[nodiscard]] virtual short receive_events() const noexcept = 0;
  // Whoever polls next has no use for less than `bytes` to receive. A hint.
  virtual void expect(std::size_t bytes) noexcept = 0;
  // True when the peer has neither closed nor sent anything that receive() would hand over.
  [[nodiscard]] virtual bool quiet() noexcept = 0;
  [[nodiscard]] virtual int descriptor() const noexcept = 0;
};

// Makes transports of connected sockets. Thread-safe.
class TransportMaker {
 public:
  TransportMaker() = default;
  virtual ~TransportMaker() = default;
  TransportMaker(const TransportMaker&) = delete;
  TransportMaker& operator=(const TransportMaker&) = delete;

  [[nodiscard]] virtual base::Result<std::unique_ptr<Transport>> make(Socket socket,
                                                                      Deadline deadline) const = 0;
};

// Its transports are the sockets as they are.
[[nodiscard]] const TransportMaker& plain_transports() noexcept;

}  // namespace vcache::l2::client
