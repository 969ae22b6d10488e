#pragma once

#include <string>
#include <string_view>

#include "l2/command/optimistic_batch.hpp"

namespace vcache::l2::command {

// Rewrites the expiry in an entry's header, and the TTL that Redis keeps with it. Leaves the entry
// alone when it is altered, gone, or changed by someone else in between.
class Restamp final : public OptimisticBatch {
 public:
  // ttl 0: no expiry. Requires: ttl >= 0.
  Restamp(const Context& context, std::string_view key, base::Millis ttl) noexcept
      : OptimisticBatch(context), key_(key), ttl_(ttl) {}

  [[nodiscard]] bool skip_oversized() noexcept override;

 private:
  void begin() override;
  void append_watch(client::Request& request) const override;
  void append_read(client::Request& request) override;
  void append_write(client::Request& request) const override;
  void on_read(const client::ReplyPart& part) noexcept override;
  void take_value(const client::ReplyPart& part) noexcept;

  const std::string_view key_;
  const base::Millis ttl_;
  std::uint64_t generation_ = 0;
  std::string value_;  // as it is to be written; empty: nothing is
};

}  // namespace vcache::l2::command
