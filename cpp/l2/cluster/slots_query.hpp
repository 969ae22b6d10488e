#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "l2/command/batch.hpp"
#include "l2/redis_options.hpp"

namespace vcache::l2::cluster {

// Slots that lie together, and who holds them. Endpoints without a host are at that of the node
// which said so.
struct SlotRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  std::vector<Endpoint> servers;  // the primary, then its replicas
};

// Asks a node of a cluster who holds which slots.
class SlotsQuery final : public command::Batch {
 public:
  using Batch::Batch;

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  [[nodiscard]] const std::vector<SlotRange>& ranges() const noexcept { return ranges_; }

 private:
  void read(const client::ReplyPart& part);
  void read_range(const client::ReplyPart& part);
  void read_server(const client::ReplyPart& part);

  std::vector<SlotRange> ranges_;
};

}  // namespace vcache::l2::cluster
