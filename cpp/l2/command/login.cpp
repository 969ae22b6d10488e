#include "l2/command/login.hpp"

namespace vcache::l2::command {

void Login::append(client::Request& request) {
  append_auth(request);
  if (options_.db != 0) {
    request.command(2);
    request.argument("SELECT");
    request.number(options_.db);
  }
  if (options_.reads_replica) {
    request.command(1);
    request.argument("READONLY");
  }
  time_reply_ = request.commands();
  if (context_.generation_apart) return;
  append_time(request);
  request.command(3);
  request.argument("MGET");
  request.argument(context_.generation_key);
  request.argument(context_.stamp_key);
}

void Login::append_auth(client::Request& request) const {
  if (options_.password.empty()) return;
  request.command(options_.username.empty() ? 2 : 3);
  request.argument("AUTH");
  if (!options_.username.empty()) request.argument(options_.username);
  request.argument(options_.password);
}

void Login::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) return on_error(part);
  if (part.depth == 0) return;
  if (part.reply == time_reply_) {
    time_.on_part(part, context_.facts);
  } else if (part.reply == time_reply_ + 1) {
    const std::uint64_t number = read_generation(part);
    part.index == 0 ? context_.facts.set_generation(number) : context_.facts.set_stamp(number);
  }
}

void Login::on_error(const client::ReplyPart& part) noexcept {
  if (!refusal_.ok()) return;  // the others follow from the first
  const ErrorKind kind = note_error(part).kind;
  const bool optional = part.reply >= time_reply_ &&
                        (kind == ErrorKind::kNoPerm || kind == ErrorKind::kUnknownCommand);
  if (!optional) refusal_ = error();
}

}  // namespace vcache::l2::command
