#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "l2/command/batch.hpp"

namespace vcache::l2::command {

// What the header of an entry says.
struct Looked {
  Outcome outcome = Outcome::kFailed;  // kHit, kMiss or kExpired where there is an answer
  bool has_tags = false;               // which may have ended it
};

// Asks of entries whether a fetch would serve them, by their headers.
class Look final : public Batch {
 public:
  Look(const Context& context, std::span<const std::string_view> keys,
       std::span<Looked> looked) noexcept
      : Batch(context), keys_(keys), looked_(looked) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  // The outcome of all keys that have no answer.
  void finish(Outcome outcome) noexcept;

 private:
  // Replies before those of the keys.
  [[nodiscard]] std::size_t lead() const noexcept { return context_.generation_apart ? 0 : 1; }

  const std::span<const std::string_view> keys_;
  const std::span<Looked> looked_;
  std::uint64_t generation_ = 0;
  std::size_t answered_ = 0;
};

}  // namespace vcache::l2::command
