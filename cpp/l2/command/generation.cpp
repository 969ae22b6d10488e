#include "l2/command/generation.hpp"

namespace vcache::l2::command {

void ReadGeneration::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note_error(part);
  } else if (part.depth > 0) {
    generation_ = read_generation(part);
  }
}

void LearnGeneration::append(client::Request& request) {
  const std::size_t before = request.commands();
  tells_time_ = context_.facts.time_is_stale();
  if (tells_time_) append_time(request);
  if (if_none_ == IfNone::kMake && context_.facts.generation() == 0) {
    append_new_generation(request, context_.facts.generation_after(0));
  }
  generation_reply_ = request.commands() - before;
  append_generation(request);
}

void LearnGeneration::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note_error(part);
  } else if (part.depth == 1 && part.reply == generation_reply_) {
    known_ = true;
    context_.facts.set_generation(read_generation(part));
  } else if (part.depth == 1 && tells_time_ && part.reply == 0) {
    time_.on_part(part, context_.facts);
  }
}

void WriteGeneration::append(client::Request& request) {
  request.command(3);
  request.argument("SET");
  request.argument(context_.generation_key);
  request.number(static_cast<long long>(generation_));
  context_.facts.own_writes().note_generation(generation_);
}

void WriteGeneration::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note_error(part);
  } else {
    context_.facts.set_generation(generation_);
  }
}

}  // namespace vcache::l2::command
