#pragma once

#include "l2/l2.hpp"

namespace vcache::l2 {

// No shared tier: everything is kSkipped and nothing is an error. Thread-safe.
class NullL2 final : public L2 {
 public:
  base::Error fetch(std::span<const std::string_view> keys, FetchSink& sink) noexcept override;
  base::Error store(WriteSource& writes, std::span<Outcome> outcomes) noexcept override;
  base::Error erase(std::span<const std::string_view> keys,
                    std::span<Outcome> outcomes) noexcept override;
  base::Error touch(std::string_view key, base::Millis ttl, Outcome& outcome) noexcept override;
  base::Error clear() noexcept override { return {}; }
  base::Error take_stamp(std::span<const std::string_view> /*tags*/, base::Millis /*ttl*/,
                         std::uint64_t& stamp) noexcept override {
    stamp = 0;
    return {};
  }
  base::Error invalidate_tags(std::span<const std::string_view> /*tags*/) noexcept override {
    return {};
  }
  base::Error erase_matching(std::string_view /*pattern*/, std::vector<std::string>& /*erased*/,
                             Progress& /*progress*/) noexcept override {
    return {};
  }
  base::Error look(std::span<const std::string_view> keys,
                   std::span<Outcome> outcomes) noexcept override {
    return erase(keys, outcomes);
  }
  base::Error list(std::string_view /*pattern*/, Page& page) noexcept override {
    page.is_last = true;
    return {};
  }
  [[nodiscard]] Status status(bool probe) noexcept override;
  void close() noexcept override {}
};

}  // namespace vcache::l2
