#pragma once

#include <cstdint>
#include <string>

#include "l2/command/batch.hpp"

namespace vcache::l2::cluster {

// Asks a server how its replication stands.
class ReplicationQuery final : public command::Batch {
 public:
  using Batch::Batch;

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  [[nodiscard]] bool is_primary() const noexcept { return role_ == "master"; }
  // A replica that hears its primary.
  [[nodiscard]] bool is_linked() const noexcept { return role_ == "slave" && link_ == "up"; }
  // Of the stream of changes that `history` names, the bytes made or taken; -1: not told.
  [[nodiscard]] std::int64_t offset() const noexcept { return is_primary() ? made_ : taken_; }
  [[nodiscard]] const std::string& history() const noexcept { return history_; }

 private:
  void read(std::string_view name, std::string_view value);

  std::string role_;
  std::string link_;
  std::string history_;
  std::int64_t made_ = -1;
  std::int64_t taken_ = -1;
};

}  // namespace vcache::l2::cluster
