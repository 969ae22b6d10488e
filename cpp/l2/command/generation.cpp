#include "l2/command/generation.hpp"

namespace vcache::l2::command {

void ReadGeneration::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note_error(part);
  } else if (part.depth > 0) {
    generation_ = read_generation(part);
  }
}

void WriteGeneration::append(client::Request& request) {
  request.command(3);
  request.argument("SET");
  request.argument(context_.generation_key);
  request.number(static_cast<long long>(generation_));
}

void WriteGeneration::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note_error(part);
  } else {
    context_.facts.set_generation(generation_);
  }
}

}  // namespace vcache::l2::command
