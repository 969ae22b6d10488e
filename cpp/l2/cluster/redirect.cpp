#include "l2/cluster/redirect.hpp"

#include <string>

#include "l2/cluster/key_slot.hpp"
#include "l2/command/number.hpp"

namespace vcache::l2::cluster {

namespace {

using command::to_number;

constexpr int kMaxPort = 65535;

}  // namespace

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = to_number<int>(text.substr(colon + 1));
  if (!port || *port < 1 || *port > kMaxPort) return std::nullopt;
  return Endpoint{.host = std::string(text.substr(0, colon)), .port = *port};
}

// `MOVED slot host:port`, `ASK slot host:port`, `TRYAGAIN words`.
std::optional<Redirect> parse_redirect(std::string_view text) {
  if (text.starts_with("TRYAGAIN ")) return Redirect{};
  const bool moved = text.starts_with("MOVED ");
  if (!moved && !text.starts_with("ASK ")) return std::nullopt;
  text.remove_prefix(text.find(' ') + 1);
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto slot = to_number<std::uint16_t>(text.substr(0, space));
  std::string_view rest = text.substr(space + 1);
  rest = rest.substr(0, rest.find(' '));
  const std::optional<Endpoint> target = parse_endpoint(rest);
  if (!slot || *slot >= kSlots || !target) return std::nullopt;
  const auto kind = moved ? Redirect::Kind::kMoved : Redirect::Kind::kAsk;
  return Redirect{.kind = kind, .slot = *slot, .target = *target};
}

}  // namespace vcache::l2::cluster
