#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "l2/command/batch.hpp"

namespace vcache::l2::command {

// One step of going through the keys of a server, for the user's keys that a glob pattern takes.
class Scan final : public Batch {
 public:
  // `cursor`: "0" at first, then what the step before had for the next.
  Scan(const Context& context, std::string_view pattern, std::string cursor)
      : Batch(context), pattern_(pattern), cursor_(std::move(cursor)) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  // Without the namespace; some may be there several times.
  [[nodiscard]] std::vector<std::string>& keys() noexcept { return keys_; }
  // True when the server will not do that for this user, now or later.
  [[nodiscard]] bool forbidden() const noexcept { return forbidden_; }
  // For the next step; "0" when this was the last, empty without an answer.
  [[nodiscard]] std::string& next() noexcept { return next_; }

 private:
  const std::string_view pattern_;
  const std::string cursor_;
  std::vector<std::string> keys_;
  std::string next_;
  bool forbidden_ = false;
};

}  // namespace vcache::l2::command
