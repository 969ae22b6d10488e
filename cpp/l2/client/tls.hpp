#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "l2/client/tls_options.hpp"
#include "l2/client/transport.hpp"

namespace vcache::l2::client {

// Its transports speak TLS 1.2 or later with `host`, a name or an address, which has proved its
// name when make() returns. Files that were replaced are read again for the next transport.
[[nodiscard]] std::unique_ptr<TransportMaker> tls_transports(TlsOptions options, std::string host);

// kTls with the reason when the files of `options` cannot be used.
[[nodiscard]] base::Error check_tls(const TlsOptions& options);

}  // namespace vcache::l2::client
