#include "l2/client/tls_context.hpp"

#include <openssl/err.h>

#include <system_error>

namespace vcache::l2::client {

namespace {

struct ContextDeleter {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};

// A key with a password: there is nobody to ask for it.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

base::Error trust(SSL_CTX& context, const TlsOptions& options) {
  if (options.verify == TlsOptions::Verify::kNone) return {};
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, nullptr);
  if (options.ca_file.empty()) {
    return SSL_CTX_set_default_verify_paths(&context) == 1
               ? base::Error{}
               : take_tls_error("the system's authorities");
  }
  if (SSL_CTX_load_verify_file(&context, options.ca_file.c_str()) == 1) return {};
  return take_tls_error("ca_file " + options.ca_file);
}

base::Error identify(SSL_CTX& context, const TlsOptions& options) {
  if (options.cert_file.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(&context, options.cert_file.c_str()) != 1) {
    return take_tls_error("cert_file " + options.cert_file);
  }
  SSL_CTX_set_default_passwd_cb(&context, no_password);
  if (SSL_CTX_use_PrivateKey_file(&context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(&context) != 1) {
    return take_tls_error("key_file " + options.key_file);
  }
  return {};
}

}  // namespace

base::Error take_tls_error(const std::string& what) {
  const unsigned long code = ERR_get_error();
  const char* const reason = ERR_SYSTEM_ERROR(code) ? nullptr : ERR_reason_error_string(code);
  base::Error error{base::ErrorCode::kTls, what + ": "};
  if (reason != nullptr) {
    error.detail += reason;
  } else if (ERR_SYSTEM_ERROR(code)) {
    error.detail += std::generic_category().message(ERR_GET_REASON(code));
  } else {
    error.detail += "unknown reason";
  }
  ERR_clear_error();
  return error;
}

base::Result<TlsContext> make_tls_context(const TlsOptions& options) {
  // Threads of ours may outlive the clean-up of OpenSSL at the end of a process.
  OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, nullptr);
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_client_method()), ContextDeleter());
  if (context == nullptr) return take_tls_error("TLS");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  if (base::Error error = trust(*context, options); !error.ok()) return error;
  if (base::Error error = identify(*context, options); !error.ok()) return error;
  return context;
}

}  // namespace vcache::l2::client
