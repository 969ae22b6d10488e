#include "l2/cluster/slots_query.hpp"

#include <algorithm>
#include <exception>

#include "l2/cluster/key_slot.hpp"

namespace vcache::l2::cluster {

namespace {

// Depths in the reply: ranges, each of two numbers and servers, each of a host, a port and more.
enum Depth : std::uint8_t { kOfRange = 1, kInRange = 2, kInServer = 3 };

constexpr std::int64_t kMaxPort = 65535;

}  // namespace

void SlotsQuery::append(client::Request& request) {
  ranges_.clear();
  request.command(2);
  request.argument("CLUSTER");
  request.argument("SLOTS");
}

void SlotsQuery::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note_error(part);
    return;
  }
  try {
    read(part);
  } catch (const std::exception&) {
    count(ErrorKind::kMemory);
  }
}

void SlotsQuery::read(const client::ReplyPart& part) {
  if (part.depth == kOfRange) {
    ranges_.emplace_back();
  } else if (!ranges_.empty() && part.depth == kInRange) {
    read_range(part);
  } else if (!ranges_.empty() && part.depth == kInServer) {
    read_server(part);
  }
}

void SlotsQuery::read_range(const client::ReplyPart& part) {
  constexpr std::int64_t kLast = kSlots - 1;
  const auto slot = static_cast<std::uint16_t>(std::clamp(part.integer, std::int64_t{0}, kLast));
  if (part.index == 0) {
    ranges_.back().first = slot;
  } else if (part.index == 1) {
    ranges_.back().last = slot;
  } else {
    ranges_.back().servers.emplace_back();
  }
}

void SlotsQuery::read_server(const client::ReplyPart& part) {
  if (ranges_.back().servers.empty()) return;
  Endpoint& server = ranges_.back().servers.back();
  if (part.index == 0) {
    // A node that does not know its own name says "?", or nothing.
    if (part.text != "?") server.host = part.text;
  } else if (part.index == 1) {
    server.port = static_cast<int>(std::clamp(part.integer, std::int64_t{0}, kMaxPort));
  }
}

}  // namespace vcache::l2::cluster
