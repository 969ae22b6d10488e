#include "l2/client/connection.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "l2/client/errors.hpp"
#include "l2/client/wait.hpp"

namespace vcache::l2::client {

namespace {

constexpr std::size_t kMaxPieces = 512;  // of one sendmsg; the kernel takes 1024
constexpr std::size_t kLeastReply = 4;   // bytes; `:0` and its line end
constexpr std::size_t kLeastLowWater = 64;
constexpr std::size_t kMostLowWater = 4096;
constexpr unsigned kUserTimeoutMillis = 5000;
constexpr int kKeepAliveIdle = 10;     // seconds
constexpr int kKeepAliveInterval = 5;  // seconds
constexpr int kKeepAliveProbes = 3;

void set_option(int descriptor, int level, int name, int value) noexcept {
  // Options tune; a kernel without one still carries the connection.
  (void)setsockopt(descriptor, level, name, &value, sizeof value);
}

void tune(const redisContext& context) noexcept {
  if (context.connection_type != REDIS_CONN_TCP) return;
  set_option(context.fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(context.fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(context.fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdle);
  set_option(context.fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveInterval);
  set_option(context.fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  set_option(context.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMillis);
}

int pending_error(int descriptor) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

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

Connection::Connection(ContextPtr context, const ReplyLimits& limits)
    : context_(std::move(context)), reader_(std::make_unique<ReplyReader>(limits)) {}

base::Result<Connection> Connection::open_tcp(const std::string& address, int port,
                                              const ReplyLimits& limits, Deadline deadline) {
  redisOptions options{};
  options.options = REDIS_OPT_NONBLOCK | REDIS_OPT_SET_SOCK_CLOEXEC;
  REDIS_OPTIONS_SET_TCP(&options, address.c_str(), port);
  return finish(ContextPtr(redisConnectWithOptions(&options)), limits, deadline);
}

base::Result<Connection> Connection::open_any(std::span<const std::string> addresses, int port,
                                              const ReplyLimits& limits, Deadline deadline) {
  base::Result<Connection> last = base::Error{base::ErrorCode::kConnect};
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto now = Deadline::clock::now();
    const auto share = (deadline - now) / static_cast<Deadline::rep>(addresses.size() - i);
    last = open_tcp(addresses[i], port, limits, now + share);
    if (last.ok()) break;
  }
  return last;
}

base::Result<Connection> Connection::open_unix(const std::string& path, const ReplyLimits& limits,
                                               Deadline deadline) {
  redisOptions options{};
  options.options = REDIS_OPT_NONBLOCK | REDIS_OPT_SET_SOCK_CLOEXEC;
  REDIS_OPTIONS_SET_UNIX(&options, path.c_str());
  return finish(ContextPtr(redisConnectWithOptions(&options)), limits, deadline);
}

base::Result<Connection> Connection::finish(ContextPtr context, const ReplyLimits& limits,
                                            Deadline deadline) {
  if (context == nullptr) return base::Error{base::ErrorCode::kConnect, "out of memory"};
  if (context->err != 0) return as_connect_error(context_error(*context, errno));
  short ready = 0;
  if (base::Error error = wait_ready(context->fd, POLLOUT, deadline, ready); !error.ok()) {
    return as_connect_error(std::move(error));
  }
  if (const int error = pending_error(context->fd); error != 0) {
    return as_connect_error(socket_error(error));
  }
  tune(*context);
  return Connection(std::move(context), limits);
}

Request& Connection::request() noexcept {
  request_.clear();
  return request_;
}

bool Connection::quiet() const noexcept {
  char byte = 0;
  const ssize_t size = recv(context_->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

base::Error Connection::exchange(ReplySink& sink, Deadline deadline) noexcept {
  base::Error error = start(sink);
  while (error.ok() && !done()) {
    short ready = 0;
    error = wait_ready(context_->fd, wants(), deadline, ready);
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
  return all_sent_ ? POLLIN : POLLIN | POLLOUT;
}

base::Error Connection::step(ReplySink& sink, short ready) noexcept {
  try {
    return settle(move_on(sink, ready));
  } catch (const std::exception&) {
    return {base::ErrorCode::kProtocol};
  }
}

base::Error Connection::move_on(ReplySink& sink, short ready) {
  if (filled_room_ || (ready & ~POLLOUT) != 0) {
    if (base::Error error = read_what_came(sink); !error.ok()) return error;
  }
  if (!all_sent_) send_what_fits(sink);
  return {};
}

// What a step that ended so says of the exchange. A peer that takes no more may have said why, so
// that its answers are waited for; the error is then still that of the writing.
base::Error Connection::settle(base::Error error) noexcept {
  if (!write_error_.ok() && (!error.ok() || done())) return std::move(write_error_);
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
  const std::size_t wanted = due < kLeastLowWater ? 1 : due;
  if (wanted == low_water_) return;
  set_option(context_->fd, SOL_SOCKET, SO_RCVLOWAT, static_cast<int>(wanted));
  low_water_ = wanted;
}

// Writes what the socket takes now.
base::Error Connection::send_some() {
  while (!part_sent()) {
    msghdr message{};
    message.msg_iov = &pieces_[next_piece_];
    message.msg_iovlen = std::min(kMaxPieces, pieces_.size() - next_piece_);
    const ssize_t size = sendmsg(context_->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
      return socket_error(errno);
    }
    written_ += static_cast<std::size_t>(size);
    advance(pieces_, next_piece_, static_cast<std::size_t>(size));
  }
  return {};
}

base::Error Connection::receive(ReplySink& sink) {
  const std::span<char> room = reader_->room();
  if (room.empty()) return {base::ErrorCode::kProtocol, "out of memory"};
  const ssize_t size = context_->funcs->read(context_.get(), room.data(), room.size());
  if (size < 0) return context_error(*context_, errno);
  filled_room_ = static_cast<std::size_t>(size) == room.size();
  reader_->commit(static_cast<std::size_t>(size));
  return reader_->parse(sink, request_.commands());
}

}  // namespace vcache::l2::client
