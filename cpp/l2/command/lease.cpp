#include "l2/command/lease.hpp"

#include <algorithm>
#include <exception>

#include "l2/command/header_check.hpp"

namespace vcache::l2::command {

namespace {

// The generation comes first; then a key has its SET and, where asked for, its header.
constexpr std::size_t kBefore = 1;
constexpr std::size_t kRepliesPerKey = 2;

}  // namespace

TakeLeases::TakeLeases(const Context& context, std::span<const std::string_view> keys,
                       const LeaseTerms& terms, std::span<Grant> grants) noexcept
    : Batch(context), keys_(keys), terms_(terms), grants_(grants) {
  std::ranges::fill(grants_, Grant::kUnknown);
}

void TakeLeases::append(client::Request& request) {
  if (terms_.unless_stored) append_generation(request);
  for (const std::string_view key : keys_) {
    request.command(6);
    request.argument("SET");
    request.argument(context_.lease_prefix, key);
    request.argument(terms_.token);
    request.argument("NX");
    request.argument("PX");
    request.number(terms_.length.count());
    if (terms_.unless_stored) append_header(request, context_, key);
  }
}

void TakeLeases::on_part(const client::ReplyPart& part) noexcept {
  if (part.depth > 0) {
    generation_ = read_generation(part);
    context_.facts.set_generation(generation_);
    return;
  }
  if (!terms_.unless_stored) {
    if (part.reply >= keys_.size()) return note_nonsense();
    return on_taken(part, grants_[part.reply]);
  }
  if (part.reply < kBefore) {
    if (part.type == client::ReplyType::kError) note_error(part);
    return;
  }
  const std::size_t index = (part.reply - kBefore) / kRepliesPerKey;
  if (index >= keys_.size()) return note_nonsense();
  if ((part.reply - kBefore) % kRepliesPerKey == 0) {
    on_taken(part, grants_[index]);
  } else {
    on_header(part, index);
  }
}

void TakeLeases::on_taken(const client::ReplyPart& part, Grant& grant) noexcept {
  if (part.type == client::ReplyType::kStatus) {
    grant = Grant::kGranted;
  } else if (part.type == client::ReplyType::kNil) {
    grant = Grant::kHeld;
  } else if (part.type == client::ReplyType::kError) {
    note_error(part);
  } else {
    note_nonsense();
  }
}

void TakeLeases::on_header(const client::ReplyPart& part, std::size_t index) noexcept {
  if (part.type == client::ReplyType::kError) {
    note_error(part);
  } else if (grants_[index] == Grant::kGranted && !has_tags(part) &&
             judge_header(part, context_, keys_[index], generation_) == Outcome::kHit) {
    grants_[index] = Grant::kStored;
  }
}

void AskLeases::append(client::Request& request) {
  held_ = 0;
  for (const std::string_view key : keys_) {
    request.command(2);
    request.argument("MGET");
    request.argument(context_.lease_prefix, key);
  }
}

void AskLeases::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) note_error(part);
  if (part.depth == 1 && part.type == client::ReplyType::kString) ++held_;
}

void GiveUpLeases::append_all(client::Request& request, std::string_view command) const {
  request.command(keys_.size() + 1);
  request.argument(command);
  for (const std::string_view key : keys_) request.argument(context_.lease_prefix, key);
}

void GiveUpLeases::append_write(client::Request& request) const {
  if (ours_.empty()) return;
  request.command(ours_.size() + 1);
  request.argument("UNLINK");
  for (const std::string_view key : ours_) request.argument(context_.lease_prefix, key);
}

void GiveUpLeases::on_read(const client::ReplyPart& part) noexcept {
  if (part.depth != 1 || part.text != token_ || part.index >= keys_.size()) return;
  try {
    ours_.push_back(keys_[part.index]);
  } catch (const std::exception&) {
    count(ErrorKind::kMemory);  // it runs out
  }
}

}  // namespace vcache::l2::command
