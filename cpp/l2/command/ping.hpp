#pragma once

#include "l2/command/batch.hpp"

namespace vcache::l2::command {

// Asks whether the server answers. An error reply says why it does not want to.
class Ping : public Batch {
 public:
  using Batch::Batch;

  void append(client::Request& request) override {
    request.command(1);
    request.argument("PING");
  }
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override {
    if (part.type == client::ReplyType::kError) note_error(part);
  }
};

}  // namespace vcache::l2::command
