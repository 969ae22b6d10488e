#include "l2/dialer.hpp"

#include <algorithm>

#include "base/tags.hpp"
#include "l2/client/tls.hpp"
#include "l2/codec/format.hpp"
#include "l2/command/login.hpp"

namespace vcache::l2 {

namespace {

// The longest string of ours: a payload of max_value behind the longest metadata and the most tags,
// encrypted.
client::ReplyLimits limits_for(const RedisOptions& options) noexcept {
  constexpr std::size_t kTags =
      codec::kTagStampSize + base::kMaxTags * (sizeof(std::uint16_t) + base::kMaxTagBytes);
  constexpr std::size_t kHead = codec::payload_offset(base::kMaxMetadataBytes + kTags);
  return {.string_bytes = options.max_value + kHead + codec::kSealSize};
}

}  // namespace

Dialer::Dialer(const RedisOptions& options, const command::Context& context)
    : options_(options),
      context_(context),
      limits_(limits_for(options)),
      resolver_(options.host),
      tls_(options.tls ? client::tls_transports(*options.tls, options.host) : nullptr) {}

base::Result<client::Connection> Dialer::dial(client::Deadline deadline) {
  deadline = std::min(deadline, client::Deadline::clock::now() + options_.connect_timeout);
  base::Result<client::Connection> connection = connect(deadline);
  if (!connection.ok()) return connection;
  command::Login login(context_, options_);
  login.append(connection.value().request());
  base::Error error = connection.value().exchange(login, deadline);
  if (!login.refusal().ok()) return login.refusal();
  if (error.code == base::ErrorCode::kDisconnected) error.code = base::ErrorCode::kConnect;
  if (!error.ok()) return error;
  return connection;
}

base::Result<client::Connection> Dialer::connect(client::Deadline deadline) {
  if (!options_.unix_socket.empty()) {
    return client::Connection::open_unix(options_.unix_socket, limits_, deadline);
  }
  auto addresses = resolver_.resolve(deadline);
  if (!addresses.ok()) return addresses.error();
  const client::TransportMaker& maker = tls_ ? *tls_ : client::plain_transports();
  return client::Connection::open_any(addresses.value(), options_.port, limits_, deadline, maker);
}

}  // namespace vcache::l2
