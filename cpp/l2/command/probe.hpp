#pragma once

#include <map>
#include <string>
#include <string_view>

#include "l2/command/batch.hpp"

namespace vcache::l2::command {

// PING, and the figures that the server tells of itself. A user without the right to ask for the
// figures gets none.
class Probe final : public Batch {
 public:
  using Batch::Batch;

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  // True when PING had its PONG.
  [[nodiscard]] bool answered() const noexcept { return answered_; }
  [[nodiscard]] std::map<std::string, double> take_figures() noexcept {
    return std::move(figures_);
  }

 private:
  void read_figures(std::string_view info);

  bool answered_ = false;
  std::map<std::string, double> figures_;
};

}  // namespace vcache::l2::command
