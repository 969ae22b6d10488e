#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "l2/command/batch.hpp"

namespace vcache::l2::command {

// Changes the TTL that Redis keeps for an entry, or only asks whether the entry is there. The
// header keeps its expiry: Restamp changes that.
class Touch final : public Batch {
 public:
  // ttl 0: no expiry; negative: only asks.
  Touch(const Context& context, std::string_view key, base::Millis ttl) noexcept
      : Batch(context), key_(key), ttl_(ttl) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  // Empty without a usable answer.
  [[nodiscard]] std::optional<Outcome> outcome() const noexcept { return outcome_; }
  // The entry has tags, which may have ended it.
  [[nodiscard]] bool has_tags() const noexcept { return has_tags_; }

 private:
  // Replies before those of the key.
  [[nodiscard]] std::size_t lead() const noexcept { return context_.generation_apart ? 0 : 1; }
  void on_header(const client::ReplyPart& part) noexcept;
  void on_changed(const client::ReplyPart& part) noexcept;

  const std::string_view key_;
  const base::Millis ttl_;
  std::uint64_t generation_ = 0;
  std::optional<Outcome> outcome_;
  bool has_tags_ = false;
};

}  // namespace vcache::l2::command
