#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "l2/redis_options.hpp"

namespace vcache::l2::cluster {

// An error reply by which a node of a cluster sends a command elsewhere.
struct Redirect {
  enum class Kind : std::uint8_t {
    kMoved,     // the slot belongs to another node
    kAsk,       // this key may have gone to another node already, which is to be asked this once
    kTryAgain,  // the keys are in between
  };

  Kind kind = Kind::kTryAgain;
  std::uint16_t slot = 0;
  Endpoint target{};  // without a host: that of the node that said so
};

// Empty for any other error.
[[nodiscard]] std::optional<Redirect> parse_redirect(std::string_view text);

// `host:port`, the host possibly empty or with colons of its own.
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text);

}  // namespace vcache::l2::cluster
