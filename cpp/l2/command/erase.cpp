#include "l2/command/erase.hpp"

#include <algorithm>

namespace vcache::l2::command {

namespace {

constexpr std::size_t kRepliesPerKey = 2;

void append_unlink(client::Request& request, const Context& context, std::string_view key) {
  request.command(2);
  request.argument("UNLINK");
  request.argument(context.key_prefix, key);
}

}  // namespace

void Erase::append(client::Request& request) {
  generation_ = context_.facts.generation();
  if (lead() > 0) append_generation(request);
  for (const std::string_view key : keys_.subspan(answered_)) {
    append_header(request, context_, key);
    append_unlink(request, context_, key);
  }
}

void Erase::on_part(const client::ReplyPart& part) noexcept {
  if (part.depth > 0) {
    generation_ = read_generation(part);
    context_.facts.set_generation(generation_);
    return;
  }
  if (part.reply < lead()) {
    if (part.type == client::ReplyType::kError) (void)note_unless_forbidden(part);
    return;
  }
  if (answered_ >= keys_.size()) return note_nonsense();
  if ((part.reply - lead()) % kRepliesPerKey == 0) {
    on_header(part);
  } else {
    on_removed(part);
  }
}

void Erase::on_header(const client::ReplyPart& part) noexcept {
  if (part.type != client::ReplyType::kError) {
    found_ = judge_header(part, context_, keys_[answered_], generation_);
    return;
  }
  // Without the right to look, the count of UNLINK is what there is, and it is no error.
  found_ = note_unless_forbidden(part) ? Outcome::kMiss : Outcome::kHit;
}

void Erase::on_removed(const client::ReplyPart& part) noexcept {
  Outcome& outcome = outcomes_[answered_++];
  if (part.type == client::ReplyType::kError) {
    outcome = outcome_of(note_error(part).code);
  } else {
    outcome = part.integer > 0 ? found_ : Outcome::kMiss;
  }
}

void Erase::finish(Outcome outcome) noexcept {
  std::ranges::fill(outcomes_.subspan(answered_), outcome);
}

void Remove::append(client::Request& request) {
  for (const std::string_view key : keys_) append_unlink(request, context_, key);
}

void Remove::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) note_error(part);
}

}  // namespace vcache::l2::command
