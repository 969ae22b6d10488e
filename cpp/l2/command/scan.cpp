#include "l2/command/scan.hpp"

#include <exception>

namespace vcache::l2::command {

namespace {

// Keys that the server looks at for one step: a fraction of a millisecond of its time.
constexpr long long kLookedAt = 1000;

}  // namespace

void Scan::append(client::Request& request) {
  keys_.clear();
  next_.clear();
  request.command(6);
  request.argument("SCAN");
  request.argument(cursor_);
  request.argument("MATCH");
  request.argument(context_.key_prefix, pattern_);
  request.argument("COUNT");
  request.number(kLookedAt);
}

void Scan::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    const ErrorKind kind = note_error(part).kind;
    forbidden_ = kind == ErrorKind::kNoPerm || kind == ErrorKind::kUnknownCommand;
    return;
  }
  if (part.type != client::ReplyType::kString) return;
  try {
    if (part.depth == 1) {
      next_ = part.text;
    } else if (part.text.starts_with(context_.key_prefix)) {
      keys_.emplace_back(part.text.substr(context_.key_prefix.size()));
    }
  } catch (const std::exception&) {
    count(ErrorKind::kMemory);
    next_.clear();
  }
}

}  // namespace vcache::l2::command
