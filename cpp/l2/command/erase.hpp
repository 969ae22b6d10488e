#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "l2/command/batch.hpp"
#include "l2/command/header_check.hpp"

namespace vcache::l2::command {

// Removes entries, and tells of each whether it was one that a fetch would have served. A key whose
// answer is lost is removed once more, and then told of as it was found the second time.
class Erase final : public Batch {
 public:
  Erase(const Context& context, std::span<const std::string_view> keys,
        std::span<Outcome> outcomes) noexcept
      : Batch(context), keys_(keys), outcomes_(outcomes) {}

  void append(client::Request& request) override;
  // What stays would be served: worse than a count that is off by a lost reply.
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  // The outcome of all keys that have no answer.
  void finish(Outcome outcome) noexcept;

 private:
  // Replies before those of the keys.
  [[nodiscard]] std::size_t lead() const noexcept { return context_.generation_apart ? 0 : 1; }
  void on_header(const client::ReplyPart& part) noexcept;
  void on_removed(const client::ReplyPart& part) noexcept;

  const std::span<const std::string_view> keys_;
  const std::span<Outcome> outcomes_;
  std::uint64_t generation_ = 0;
  Outcome found_ = Outcome::kMiss;  // what the header of the current key said
  std::size_t answered_ = 0;
};

// Removes values that were refused. Nobody waits for the answers.
class Remove final : public Batch {
 public:
  Remove(const Context& context, std::span<const std::string_view> keys) noexcept
      : Batch(context), keys_(keys) {}

  void append(client::Request& request) override;
  void on_part(const client::ReplyPart& part) noexcept override;

 private:
  const std::span<const std::string_view> keys_;
};

}  // namespace vcache::l2::command
