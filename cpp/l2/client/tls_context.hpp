#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "base/result.hpp"
#include "l2/client/tls_options.hpp"

namespace vcache::l2::client {

// The certificates and rules for connections to come. Shared, never changed.
using TlsContext = std::shared_ptr<SSL_CTX>;

// kTls where a file cannot be used; names it and the reason.
[[nodiscard]] base::Result<TlsContext> make_tls_context(const TlsOptions& options);

// kTls with the first reason that OpenSSL noted for this thread since it was last asked.
[[nodiscard]] base::Error take_tls_error(const std::string& what);

}  // namespace vcache::l2::client
