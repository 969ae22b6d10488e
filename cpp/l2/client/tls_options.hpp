#pragma once

#include <cstdint>
#include <string>

namespace vcache::l2::client {

// How a server proves who it is, and we to it. Files are PEM.
struct TlsOptions {
  enum class Verify : std::uint8_t {
    kFull,  // its certificate is of an authority we trust, and names the host
    kNone,  // any certificate will do: whoever is in between can read and answer
  };

  std::string ca_file = {};    // the authorities; empty: those of the system
  std::string cert_file = {};  // our certificate, with those between it and its authority
  std::string key_file = {};   // its key, without a password
  Verify verify = Verify::kFull;
};

}  // namespace vcache::l2::client
