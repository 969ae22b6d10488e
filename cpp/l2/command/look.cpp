#include "l2/command/look.hpp"

#include "l2/command/header_check.hpp"

namespace vcache::l2::command {

void Look::append(client::Request& request) {
  generation_ = context_.facts.generation();
  if (lead() > 0) append_generation(request);
  for (const std::string_view key : keys_.subspan(answered_)) {
    append_header(request, context_, key);
  }
}

void Look::on_part(const client::ReplyPart& part) noexcept {
  if (part.depth > 0) {
    generation_ = read_generation(part);
    context_.facts.set_generation(generation_);
    return;
  }
  if (part.reply < lead()) {
    if (part.type == client::ReplyType::kError) note_error(part);
    return;
  }
  if (answered_ >= keys_.size()) return note_nonsense();
  const std::string_view key = keys_[answered_];
  Looked& looked = looked_[answered_++];
  if (part.type != client::ReplyType::kError) {
    looked = {.outcome = judge_header(part, context_, key, generation_),
              .has_tags = has_tags(part)};
    return;
  }
  const bool foreign = client::classify(part.text).kind == ErrorKind::kWrongType;
  if (foreign) count(ErrorKind::kWrongType);
  looked.outcome = foreign ? Outcome::kMiss : outcome_of(note_error(part).code);
}

void Look::finish(Outcome outcome) noexcept {
  for (Looked& each : looked_.subspan(answered_)) each.outcome = outcome;
}

}  // namespace vcache::l2::command
