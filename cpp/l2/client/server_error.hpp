#pragma once

#include <string_view>

#include "base/result.hpp"
#include "l2/error_kind.hpp"

namespace vcache::l2::client {

// What a reply says about the server as a whole.
enum class Health : std::uint8_t {
  kFine,         // the request was refused, the server is well
  kDoubtful,     // counts against the server where many do
  kFailing,      // counts against the server
  kCredentials,  // every request will be refused until someone changes a password
};

struct ServerError {
  ErrorKind kind = ErrorKind::kServer;
  base::ErrorCode code = base::ErrorCode::kServer;
  Health health = Health::kFailing;
};

// Sorts the text of an error reply.
[[nodiscard]] ServerError classify(std::string_view text) noexcept;

// The text as far as it may be shown: its first words, without the arguments that servers quote.
[[nodiscard]] base::Error to_error(const ServerError& error, std::string_view text);

}  // namespace vcache::l2::client
