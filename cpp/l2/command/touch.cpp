#include "l2/command/touch.hpp"

#include "l2/command/header_check.hpp"

namespace vcache::l2::command {

void Touch::append(client::Request& request) {
  generation_ = context_.facts.generation();
  if (lead() > 0) append_generation(request);
  append_header(request, context_, key_);
  if (ttl_ > base::Millis::zero()) {
    request.command(3);
    request.argument("PEXPIRE");
    request.argument(context_.key_prefix, key_);
    request.number((ttl_ + context_.grace).count());
  } else if (ttl_ == base::Millis::zero()) {
    request.command(2);
    request.argument("PERSIST");
    request.argument(context_.key_prefix, key_);
  }
}

void Touch::on_part(const client::ReplyPart& part) noexcept {
  if (part.depth > 0) {
    generation_ = read_generation(part);
    context_.facts.set_generation(generation_);
  } else if (part.reply < lead()) {
    if (part.type == client::ReplyType::kError) note_error(part);
  } else if (part.reply == lead()) {
    on_header(part);
  } else {
    on_changed(part);
  }
}

void Touch::on_header(const client::ReplyPart& part) noexcept {
  if (part.type != client::ReplyType::kError) {
    outcome_ = judge_header(part, context_, key_, generation_);
    has_tags_ = command::has_tags(part);
    return;
  }
  // Without the right to look, the answer to the change is what there is.
  const ErrorKind kind = note_error(part).kind;
  const bool forbidden = kind == ErrorKind::kNoPerm && ttl_ >= base::Millis::zero();
  if (forbidden) outcome_ = Outcome::kHit;
  if (kind == ErrorKind::kWrongType) outcome_ = Outcome::kMiss;
}

void Touch::on_changed(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    outcome_ = outcome_of(note_error(part).code);
  } else if (part.integer == 0 && ttl_ > base::Millis::zero()) {
    outcome_ = Outcome::kMiss;
  }
}

}  // namespace vcache::l2::command
