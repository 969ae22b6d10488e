#include "l2/client/connection.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "l2/client/wait.hpp"

namespace vcache::l2::client {

namespace {

constexpr std::size_t kLeastReply = 4;  // bytes; `:0` and its line end
constexpr std::size_t kLeastLowWater = 64;
constexpr std::size_t kMostLowWater = 4096;

base::Error as_connect_error(base::Error error) {
  if (error.code == base::ErrorCode::kDisconnected) error.code = base::ErrorCode::kConnect;
  return error;
}

// Takes `sent` bytes off the front of `pieces`, from `next` on.
void advance(std::vector<iovec>& pieces, std::size_t& next, std::size_t sent) noexcept {
  while (next < pieces.size() && sent >= pieces[next].iov_len) sent -= pieces[next++].iov_len;
  if (sent == 0) return;
  iovec& piece = pieces[next];
  piece.iov_base = static_cast<std::byte*>(piece.iov_base) + sent;
  piece.iov_len -= sent;
}

}  // namespace

Connection::Connection(std::unique_ptr<Transport> transport, const ReplyLimits& limits)
    : transport_(std::move(transport)), reader_(std::make_unique<ReplyReader>(limits)) {}

base::Result<Connection> Connection::open_tcp(const std::string& address, int port,
                                              const ReplyLimits& limits, Deadline deadline,
                                              const TransportMaker& maker) {
  return finish(Socket::connect_tcp(address, port, deadline), limits, deadline, maker);
}

base::Result<Connection> Connection::open_any(std::span<const std::string> addresses, int port,
                                              const ReplyLimits& limits, Deadline deadline,
                                              const TransportMaker& maker) {
  base::Result<Connection> last = base::Error{base::ErrorCode::kConnect};
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto now = Deadline::clock::now();
    const auto share = (deadline - now) / static_cast<Deadline::rep>(addresses.size() - i);
    last = open_tcp(addresses[i], port, limits, now + share, maker);
    if (last.ok() || last.error().code == base::ErrorCode::kInterrupted) break;
  }
  return last;
}

base::Result<Connection> Connection::open_unix(const std::string& path, const ReplyLimits& limits,
                                               Deadline deadline) {
  return finish(Socket::connect_unix(path, deadline), limits, deadline, plain_transports());
}

base::Result<Connection> Connection::finish(base::Result<Socket> socket, const ReplyLimits& limits,
                                            Deadline deadline, const TransportMaker& maker) {
  if (!socket.ok()) return socket.error();
  auto transport = maker.make(std::move(socket).value(), deadline);
  if (!transport.ok()) return as_connect_error(transport.error());
  return Connection(std::move(transport).value(), limits);
}

Request& Connection::request() noexcept {
  request_.clear();
  return request_;
}

bool Connection::quiet() const noexcept { return transport_->quiet(); }

base::Error Connection::exchange(ReplySink& sink, Deadline deadline) noexcept {
  base::Error error = start(sink);
  while (error.ok() && !done()) {
    short ready = 0;
    error = wait_ready(descriptor(), wants(), deadline, ready);
    error = error.ok() ? step(sink, ready) : give_up(std::move(error));
  }
  return error;
}

base::Error Connection::start(ReplySink& sink) noexcept {
  reader_->begin();
  all_sent_ = true;
  if (request_.commands() == 0) return {};
  spent_ = true;
  written_ = 0;
  next_piece_ = 0;
  all_sent_ = filled_room_ = false;
  write_error_ = {};
  try {
    request_.pieces(pieces_);
    send_what_fits(sink);
    return settle({});
  } catch (const std::exception&) {
    return {base::ErrorCode::kProtocol};
  }
}

short Connection::wants() noexcept {
  if (filled_room_) return 0;
  tune_wakeups();
  const int receivable = transport_->receive_events();
  return static_cast<short>(all_sent_ ? receivable : receivable | transport_->send_events());
}

base::Error Connection::step(ReplySink& sink, short ready) noexcept {
  try {
    return settle(move_on(sink, ready));
  } catch (const std::exception&) {
    return {base::ErrorCode::kProtocol};
  }
}

base::Error Connection::move_on(ReplySink& sink, short ready) {
  const int receivable = transport_->receive_events() | POLLERR | POLLHUP;
  if (filled_room_ || (ready & receivable) != 0) {
    if (base::Error error = read_what_came(sink); !error.ok()) return error;
  }
  if (!all_sent_) send_what_fits(sink);
  return {};
}

// What a step that ended so says of the exchange. A peer that takes no more may have said why, so
// that its answers are waited for; the error is then still that of the writing.
base::Error Connection::settle(base::Error error) noexcept {
  const bool said_why = error.code == base::ErrorCode::kTls;
  if (!write_error_.ok() && !said_why && (!error.ok() || done())) return std::move(write_error_);
  if (error.ok() && done()) spent_ = false;
  return error;
}

base::Error Connection::read_what_came(ReplySink& sink) {
  base::Error error = receive(sink);
  if (error.ok() && owed() == 0 && !part_sent()) {
    return {base::ErrorCode::kProtocol, "replies came before their requests"};
  }
  return error;
}

void Connection::send_what_fits(ReplySink& sink) {
  write_error_ = send_parts(sink);
  if (write_error_.ok()) return;
  pieces_.resize(next_piece_);
  all_sent_ = true;
}

// Sends part after part until the socket is full or all is sent.
base::Error Connection::send_parts(ReplySink& sink) {
  for (;;) {
    if (base::Error error = send_some(); !error.ok() || !part_sent()) return error;
    request_.drop_pieces();
    if (!sink.append_more(request_)) {
      all_sent_ = true;
      return {};
    }
    request_.pieces(pieces_);
    next_piece_ = 0;
  }
}

// Many short replies should wake us once, not one by one: each costs the server as well. The bytes
// waited for are fewer than those that must still come, so that no wait is in vain.
void Connection::tune_wakeups() noexcept {
  const std::size_t others = owed() > 0 ? owed() - 1 : 0;  // of one, a part may be here already
  const std::size_t due = std::min(others * kLeastReply, kMostLowWater);
  transport_->expect(due < kLeastLowWater ? 1 : due);
}

// Writes what the transport takes now.
base::Error Connection::send_some() {
  while (!part_sent()) {
    const base::Result<std::size_t> sent =
        transport_->send(std::span(pieces_).subspan(next_piece_));
    if (!sent.ok()) return sent.error();
    if (sent.value() == 0) return {};
    written_ += sent.value();
    advance(pieces_, next_piece_, sent.value());
  }
  return {};
}

base::Error Connection::receive(ReplySink& sink) {
  const std::span<char> room = reader_->room(owed());
  if (room.empty()) return {base::ErrorCode::kProtocol, "out of memory"};
  Transport::Received received = transport_->receive(room);
  filled_room_ = received.bytes == room.size();
  reader_->commit(received.bytes);
  if (base::Error error = reader_->parse(sink, request_.commands()); !error.ok()) return error;
  const bool served = received.bytes > 0 && owed() == 0;  // by what came before the end
  return served ? base::Error{} : std::move(received.error);
}

}  // namespace vcache::l2::client
