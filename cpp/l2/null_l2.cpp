#include "l2/null_l2.hpp"

#include <algorithm>

namespace vcache::l2 {

base::Error NullL2::fetch(std::span<const std::string_view> keys, FetchSink& sink) noexcept {
  for (std::size_t i = 0; i < keys.size(); ++i) sink.on_absent(i, Outcome::kSkipped);
  return {};
}

base::Error NullL2::store(WriteSource& /*writes*/, std::span<Outcome> outcomes) noexcept {
  std::ranges::fill(outcomes, Outcome::kSkipped);
  return {};
}

base::Error NullL2::erase(std::span<const std::string_view> /*keys*/,
                          std::span<Outcome> outcomes) noexcept {
  std::ranges::fill(outcomes, Outcome::kSkipped);
  return {};
}

base::Error NullL2::touch(std::string_view /*key*/, base::Millis /*ttl*/,
                          Outcome& outcome) noexcept {
  outcome = Outcome::kSkipped;
  return {};
}

Status NullL2::status(bool /*probe*/) noexcept { return {}; }

}  // namespace vcache::l2
