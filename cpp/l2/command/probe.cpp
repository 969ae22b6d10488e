#include "l2/command/probe.hpp"

#include <array>
#include <cstdint>
#include <exception>
#include <utility>

#include "l2/command/number.hpp"

namespace vcache::l2::command {

namespace {

enum Reply : std::uint8_t { kPing, kInfo, kKeys };

// Names in INFO, and ours.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kFigures = {{
    {"used_memory", "used_memory"},
    {"evicted_keys", "evicted_keys"},
    {"instantaneous_ops_per_sec", "ops"},
    {"connected_clients", "clients"},
}};

}  // namespace

void Probe::append(client::Request& request) {
  for (const std::string_view name : {"PING", "INFO", "DBSIZE"}) {
    request.command(1);
    request.argument(name);
  }
}

void Probe::on_part(const client::ReplyPart& part) noexcept {
  if (part.depth > 0) return;
  if (part.type == client::ReplyType::kError) {
    note_error(part);
    return;
  }
  if (part.reply == kPing) answered_ = true;
  try {
    if (part.reply == kInfo) read_figures(part.text);
    if (part.reply == kKeys) figures_.emplace("keys", static_cast<double>(part.integer));
  } catch (const std::exception&) {
    count(ErrorKind::kMemory);
  }
}

// Lines of `name:number`.
void Probe::read_figures(std::string_view info) {
  while (!info.empty()) {
    const std::string_view line = info.substr(0, info.find("\r\n"));
    info.remove_prefix(std::min(info.size(), line.size() + 2));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    for (const auto& [theirs, ours] : kFigures) {
      if (line.substr(0, colon) != theirs) continue;
      if (const auto value = to_number<double>(line.substr(colon + 1))) {
        figures_.emplace(ours, *value);
      }
    }
  }
}

}  // namespace vcache::l2::command
