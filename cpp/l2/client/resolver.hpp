#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "l2/client/deadline.hpp"

namespace vcache::l2::client {

// Turns a host name into numeric addresses without ever waiting past a deadline: names are looked
// up on a thread of their own, at most one at a time for a resolver. Thread-safe.
class Resolver {
 public:
  explicit Resolver(std::string host);

  // At least one address, in the order to try them.
  [[nodiscard]] base::Result<std::vector<std::string>> resolve(Deadline deadline);

 private:
  struct State;

  [[nodiscard]] std::uint64_t start();

  const std::string host_;
  const bool numeric_;
  const std::shared_ptr<State> state_;  // shared with the look-up, which may outlive this
};

}  // namespace vcache::l2::client
