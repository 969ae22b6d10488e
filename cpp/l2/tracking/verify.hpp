#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "l2/codec/fingerprint.hpp"
#include "l2/command/batch.hpp"

namespace vcache::l2::tracking {

// Asks whether the server still has what this process wrote last under some keys, and whether the
// generation is one that it made.
class Verify final : public command::Batch {
 public:
  // `keys` outlives it.
  Verify(const command::Context& context, std::span<const std::string> keys, bool generation);

  void append(client::Request& request) override;
  void on_part(const client::ReplyPart& part) noexcept override;

  // Once all replies are there: the keys whose values are not ours. Those that this process wrote
  // to meanwhile are not among them: they will be told of once more.
  [[nodiscard]] const std::vector<std::string_view>& changed() const noexcept { return changed_; }
  [[nodiscard]] bool generation_changed() const noexcept { return generation_changed_; }

 private:
  struct Expected {
    codec::Fingerprint fingerprint;
    std::uint64_t checksum = 0;
    bool known = false;
  };

  void judge(std::size_t index, const client::ReplyPart& part) noexcept;

  const std::span<const std::string> keys_;
  const bool generation_;
  std::vector<Expected> expected_;
  std::vector<std::string_view> changed_;
  bool generation_changed_ = false;
};

}  // namespace vcache::l2::tracking
