#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "l2/client/deadline.hpp"
#include "l2/client/reply.hpp"
#include "l2/client/reply_reader.hpp"
#include "l2/client/request.hpp"
#include "l2/client/transport.hpp"

namespace vcache::l2::client {

// A connection to one server, owned by one caller at a time. Every wait ends at the deadline given.
// After any error the connection is spent: replies may still arrive, so it must not be used again.
class Connection {
 public:
  // Each makes its transport by `maker`.
  [[nodiscard]] static base::Result<Connection> open_tcp(
      const std::string& address, int port, const ReplyLimits& limits, Deadline deadline,
      const TransportMaker& maker = plain_transports());
  // The first of `addresses` that takes the connection. Each has its even share of the time left.
  [[nodiscard]] static base::Result<Connection> open_any(
      std::span<const std::string> addresses, int port, const ReplyLimits& limits,
      Deadline deadline, const TransportMaker& maker = plain_transports());
  [[nodiscard]] static base::Result<Connection> open_unix(const std::string& path,
                                                          const ReplyLimits& limits,
                                                          Deadline deadline);

  // A cleared batch to fill and hand to exchange() or start().
  [[nodiscard]] Request& request() noexcept;
  // Sends the batch, if it is not empty, and hands all its replies to `sink`, reading while the
  // socket takes no more.
  [[nodiscard]] base::Error exchange(ReplySink& sink, Deadline deadline) noexcept;

  // The same without waiting, for who has several under way: after start(), until done() or an
  // error, wait for what wants() says and step().
  [[nodiscard]] base::Error start(ReplySink& sink) noexcept;
  [[nodiscard]] bool done() const noexcept { return owed() == 0 && all_sent_; }
  // Events of poll() to wait for; 0: step() has something to do already.
  [[nodiscard]] short wants() noexcept;
  // `ready`: what poll said. Sends what the socket takes and hands over what has come.
  [[nodiscard]] base::Error step(ReplySink& sink, short ready) noexcept;
  // Ends what was started, for good, because of `reason`. Returns that, or why the peer took no
  // more.
  [[nodiscard]] base::Error give_up(base::Error reason) noexcept {
    return settle(std::move(reason));
  }

  // Where pushes go from now on, at the next step() or exchange(). Outlives the connection.
  void send_pushes_to(PushSink& sink) noexcept { reader_->send_pushes_to(sink); }
  // True when what has come so far are whole replies to what was asked, and pushes.
  [[nodiscard]] bool in_step() const noexcept {
    return owed() > 0 || reader_->empty() || reader_->at_push();
  }
  // True when nothing is owed, nothing is buffered and nothing went wrong.
  [[nodiscard]] bool reusable() const noexcept { return !spent_ && reader_->empty(); }
  // True when the peer has neither closed nor sent anything that nobody asked for.
  [[nodiscard]] bool quiet() const noexcept;
  // Makes it unfit for reuse.
  void spend() noexcept { spent_ = true; }

  // Of the last exchange.
  [[nodiscard]] bool wrote_nothing() const noexcept { return written_ == 0; }
  [[nodiscard]] bool met_oversized() const noexcept { return reader_->oversized(); }
  [[nodiscard]] int descriptor() const noexcept { return transport_->descriptor(); }

 private:
  Connection(std::unique_ptr<Transport> transport, const ReplyLimits& limits);

  [[nodiscard]] static base::Result<Connection> finish(base::Result<Socket> socket,
                                                       const ReplyLimits& limits, Deadline deadline,
                                                       const TransportMaker& maker);
  [[nodiscard]] base::Error move_on(ReplySink& sink, short ready);
  void send_what_fits(ReplySink& sink);
  [[nodiscard]] base::Error send_parts(ReplySink& sink);
  [[nodiscard]] base::Error send_some();
  [[nodiscard]] base::Error read_what_came(ReplySink& sink);
  [[nodiscard]] base::Error settle(base::Error error) noexcept;
  [[nodiscard]] base::Error receive(ReplySink& sink);
  void tune_wakeups() noexcept;
  [[nodiscard]] bool part_sent() const noexcept { return next_piece_ == pieces_.size(); }
  [[nodiscard]] std::size_t owed() const noexcept {
    return request_.commands() - reader_->replies();
  }

  std::unique_ptr<Transport> transport_;
  std::unique_ptr<ReplyReader> reader_;
  Request request_;
  std::vector<iovec> pieces_;  // of the part of the batch that is sent now, cut as they go
  std::size_t next_piece_ = 0;
  std::size_t written_ = 0;
  bool all_sent_ = true;
  base::Error write_error_;   // why the peer takes no more; it is heard out
  bool filled_room_ = false;  // the last receive did, so that more may be there already
  bool spent_ = false;
};

}  // namespace vcache::l2::client
