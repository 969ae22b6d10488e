#pragma once

#include <string_view>

#include "l2/command/batch.hpp"
#include "l2/redis_options.hpp"

namespace vcache::l2::cluster {

// Asks a sentinel for the address of a service's primary.
class PrimaryQuery final : public command::Batch {
 public:
  PrimaryQuery(const command::Context& context, std::string_view service) noexcept
      : Batch(context), service_(service) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  // Without a host: it knows none.
  [[nodiscard]] const Endpoint& primary() const noexcept { return primary_; }

 private:
  const std::string_view service_;
  Endpoint primary_;
};

}  // namespace vcache::l2::cluster
