#include "l2/client/tls_transport.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <utility>

#include "l2/client/errors.hpp"
#include "l2/client/wait.hpp"

namespace vcache::l2::client {

namespace {

constexpr std::size_t kMostOfRecord = SSL3_RT_MAX_PLAIN_LENGTH;

bool is_address(const std::string& host) noexcept {
  std::array<unsigned char, sizeof(in6_addr)> bytes;  // NOLINT(*-member-init)
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

int at_most_int(std::size_t size) noexcept {
  return static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
}

}  // namespace

TlsTransport::TlsTransport(Socket socket, TlsContext context)
    : context_(std::move(context)),
      socket_(std::move(socket)),
      wire_(socket_.descriptor()),
      ssl_(SSL_new(context_.get())) {
  BIO* const bio = ssl_ == nullptr ? nullptr : wire_.make();
  if (bio == nullptr) throw std::bad_alloc();
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_connect_state(ssl_.get());
}

base::Error TlsTransport::name_peer(const std::string& host) {
  X509_VERIFY_PARAM* const rules = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const bool named = is_address(host) ? X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1
                                      : SSL_set1_host(ssl_.get(), host.c_str()) == 1 &&
                                            SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) ==
                                                1;  // NOLINT(*-cast*)
  return named ? base::Error{} : take_tls_error("the host name");
}

base::Error TlsTransport::shake_hands(const std::string& host, Deadline deadline) {
  ERR_clear_error();
  if (base::Error error = name_peer(host); !error.ok()) return error;
  for (;;) {
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) return {};
    short events = 0;
    if (base::Error error = check(result, events); !error.ok()) return error;
    short ready = 0;
    base::Error error = wait_ready(descriptor(), events, deadline, ready);
    if (error.code == base::ErrorCode::kTimeout) {
      error.detail = "no answer to the TLS handshake; does this port speak TLS?";
    }
    if (!error.ok()) return error;
  }
}

// The front of `pieces`: a long piece itself, or a record's worth of short ones.
std::span<const std::byte> TlsTransport::next_record(std::span<const iovec> pieces) {
  if (record_waits_) return record_;
  record_.clear();
  for (const iovec& piece : pieces) {
    const std::span bytes(static_cast<const std::byte*>(piece.iov_base), piece.iov_len);
    if (record_.empty() && bytes.size() >= kMostOfRecord) return bytes;
    const std::size_t fits = std::min(bytes.size(), kMostOfRecord - record_.size());
    record_.insert(record_.end(), bytes.begin(), bytes.begin() + static_cast<ssize_t>(fits));
    if (record_.size() == kMostOfRecord) break;
  }
  return record_;
}

base::Result<std::size_t> TlsTransport::send(std::span<iovec> pieces) {
  const std::span<const std::byte> bytes = next_record(pieces);
  if (bytes.empty()) return std::size_t{0};
  ERR_clear_error();
  const int result = SSL_write(ssl_.get(), bytes.data(), at_most_int(bytes.size()));
  record_waits_ = result <= 0 && bytes.data() == record_.data();
  if (result > 0) return static_cast<std::size_t>(result);
  if (base::Error error = check(result, send_events_); !error.ok()) return error;
  return std::size_t{0};
}

Transport::Received TlsTransport::receive(std::span<char> room) {
  Received out;
  while (out.bytes < room.size()) {
    ERR_clear_error();
    const std::span<char> rest = room.subspan(out.bytes);
    const int result = SSL_read(ssl_.get(), rest.data(), at_most_int(rest.size()));
    if (result <= 0) {
      out.error = check(result, receive_events_);
      break;
    }
    out.bytes += static_cast<std::size_t>(result);
    trusted_ = true;
  }
  return out;
}

bool TlsTransport::quiet() noexcept {
  char byte = 0;
  ERR_clear_error();
  const int result = SSL_peek(ssl_.get(), &byte, 1);
  return result <= 0 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ;
}

base::Error TlsTransport::check(int result, short& events) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      events = POLLIN;
      return {};
    case SSL_ERROR_WANT_WRITE:
      events = POLLOUT;
      return {};
    case SSL_ERROR_ZERO_RETURN:
      return closed_error();
    case SSL_ERROR_SYSCALL:
      return wire_.error_number() == 0 ? closed_error() : socket_error(wire_.error_number());
    default:
      return refusal();
  }
}

base::Error TlsTransport::refusal() const {
  const unsigned long code = ERR_peek_error();
  if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
      ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    ERR_clear_error();
    return closed_error();
  }
  if (trusted_) {
    base::Error error = take_tls_error("TLS");
    error.code = base::ErrorCode::kProtocol;
    return error;
  }
  const long verdict = SSL_get_verify_result(ssl_.get());
  if (verdict == X509_V_OK || SSL_get_verify_mode(ssl_.get()) == SSL_VERIFY_NONE) {
    return take_tls_error("TLS");
  }
  ERR_clear_error();
  return {base::ErrorCode::kTls, std::string("the server's certificate is refused: ") +
                                     X509_verify_cert_error_string(verdict)};
}

}  // namespace vcache::l2::client
