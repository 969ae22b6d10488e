#pragma once

#include <string>
#include <string_view>

#include "l2/command/batch.hpp"

namespace vcache::l2::command {

// Rewrites the expiry in an entry's header, and the TTL that Redis keeps with it. Leaves the entry
// alone when it is altered, gone, or changed by someone else in between: WATCH guards from the
// reading to the writing, in two exchanges on one connection.
class Restamp final : public Batch {
 public:
  // ttl 0: no expiry. Requires: ttl >= 0.
  Restamp(const Context& context, std::string_view key, base::Millis ttl) noexcept
      : Batch(context), key_(key), ttl_(ttl) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool append_next(client::Request& request) override;
  [[nodiscard]] bool skip_oversized() noexcept override;
  void on_part(const client::ReplyPart& part) noexcept override;

 private:
  enum class Stage : std::uint8_t { kReading, kWriting, kGivenUp };

  void on_read(const client::ReplyPart& part) noexcept;
  void on_written(const client::ReplyPart& part) noexcept;
  void take_value(const client::ReplyPart& part) noexcept;
  void append_value(client::Request& request) const;

  const std::string_view key_;
  const base::Millis ttl_;
  Stage stage_ = Stage::kReading;
  bool watched_ = false;
  bool in_transaction_ = false;
  std::uint64_t generation_ = 0;
  std::string value_;  // as it is to be written; empty: nothing is
};

}  // namespace vcache::l2::command
