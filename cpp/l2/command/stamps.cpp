#include "l2/command/stamps.hpp"

#include <algorithm>

namespace vcache::l2::command {

namespace {

constexpr base::Millis kLongestKept = std::chrono::hours(24 * 3653);
constexpr base::Millis kLeastStep = std::chrono::hours(1);
constexpr int kStepsPerLife = 8;
// Of a tag that was invalidated: what is older is over whether it has a stamp or none.
constexpr base::Millis kInvalidatedKept = std::chrono::hours(1);

// When a tag may go that is kept for values of this TTL: a moment all calls of an hour, or of an
// eighth of the TTL, agree on, so that few of them move it, each of which the others are told of.
base::Millis kept_until(base::Millis now, base::Millis ttl) noexcept {
  const base::Millis life = ttl > base::Millis::zero() ? std::min(ttl, kLongestKept) : kLongestKept;
  const base::Millis step = std::max(kLeastStep, life / kStepsPerLife);
  return ((now + life) / step + 2) * step;
}

}  // namespace

ReadStamps::ReadStamps(const Context& context, std::span<const std::string_view> tags)
    : Batch(context) {
  stamps_.reserve(tags.size());
  for (const std::string_view tag : tags) stamps_.push_back({.tag = tag});
}

void ReadStamps::append(client::Request& request) { append_reading(request, 0); }

void ReadStamps::append_reading(client::Request& request, std::size_t behind) {
  reading_ = behind;
  request.command(stamps_.size() + 2);
  request.argument("MGET");
  for (const base::TagStamp& each : stamps_) request.argument(context_.tag_prefix, each.tag);
  request.argument(context_.stamp_key);
}

void ReadStamps::append_tag_command(client::Request& request, std::size_t arguments,
                                    std::string_view name, std::string_view tag) const {
  request.command(arguments);
  request.argument(name);
  request.argument(context_.tag_prefix, tag);
}

void ReadStamps::append_copy(client::Request& request, std::string_view tag,
                             bool even_if_there) const {
  request.command(even_if_there ? 4 : 3);
  request.argument("COPY");
  request.argument(context_.stamp_key);
  request.argument(context_.tag_prefix, tag);
  if (even_if_there) request.argument("REPLACE");
}

void ReadStamps::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note(part);
  } else if (part.depth == 1 && part.reply == reading_) {
    const std::uint64_t number = read_generation(part);
    if (part.index < stamps_.size()) {
      stamps_[part.index].stamp = number;
    } else if (part.index == stamps_.size()) {
      stamp_ = number;
      known_ = true;
      context_.facts.set_stamp(number);
    }
  }
}

// NX and GT in two commands: the latter leaves a key without expiry as it is.
void TakeStamp::append(client::Request& request) {
  constexpr std::size_t kCommandsPerTag = 3;
  const bool expires = ttl_ > base::Millis::zero();
  const base::Millis life = expires ? ttl_ + context_.grace : base::Millis::zero();
  const base::Millis until = kept_until(context_.facts.now(), life);
  request.command(4);
  request.argument("SET");
  request.argument(context_.stamp_key);
  request.number(static_cast<long long>(context_.facts.generation_after(0)));
  request.argument("NX");
  for (const auto& [tag, stamp] : stamps()) {
    append_copy(request, tag, false);
    for (const std::string_view condition : {"NX", "GT"}) {
      append_tag_command(request, 4, "PEXPIREAT", tag);
      request.number(until.count());
      request.argument(condition);
    }
  }
  append_reading(request, 1 + kCommandsPerTag * stamps().size());
}

void ReadStamps::note(const client::ReplyPart& error) noexcept {
  const ErrorKind kind = note_error(error).kind;
  forbidden_ |= kind == ErrorKind::kNoPerm || kind == ErrorKind::kUnknownCommand;
}

void ReadStamps::set_all(std::uint64_t stamp) noexcept {
  for (base::TagStamp& each : stamps_) each.stamp = stamp;
  stamp_ = stamp;
  known_ = true;
  context_.facts.set_stamp(stamp);
}

// NX: who takes a stamp in between may have its tags kept for longer.
void ReadStamps::append_copies(client::Request& request) const {
  const base::Millis until = kept_until(context_.facts.now(), kInvalidatedKept);
  for (const auto& [tag, stamp] : stamps_) {
    append_copy(request, tag, true);
    append_tag_command(request, 4, "PEXPIREAT", tag);
    request.number(until.count());
    request.argument("NX");
  }
}

// MULTI goes with the reading: were it refused behind it, the rest would be no transaction.
void StepStamp::append(client::Request& request) {
  reading_ = true;
  watched_ = in_transaction_ = false;
  last_ = 0;
  request.command(2);
  request.argument("WATCH");
  request.argument(context_.stamp_key);
  request.command(2);
  request.argument("MGET");
  request.argument(context_.stamp_key);
  request.command(1);
  request.argument("MULTI");
}

bool StepStamp::append_next(client::Request& request) {
  if (!reading_ || !in_transaction_) return false;
  reading_ = false;
  if (watched_) {
    next_ = context_.facts.generation_after(last_);
    request.command(3);
    request.argument("SET");
    request.argument(context_.stamp_key);
    request.number(static_cast<long long>(next_));
    append_copies(request);
  }
  request.command(1);
  request.argument("EXEC");
  return true;
}

// The last reply is that of EXEC: of as many elements as there were commands, or none.
void StepStamp::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note(part);
    if (!reading_ && part.depth == 0) drop_connection();
  } else if (reading_) {
    on_read(part);
  } else if (part.depth == 0 && part.type == client::ReplyType::kArray && watched_) {
    set_all(next_);
  }
}

void StepStamp::on_read(const client::ReplyPart& part) noexcept {
  enum ReadReply : std::uint8_t { kWatch, kStamp, kMulti };
  const bool done = part.type == client::ReplyType::kStatus;
  if (part.reply == kWatch) {
    watched_ = done;
  } else if (part.reply == kStamp && part.depth == 1) {
    last_ = read_generation(part);
  } else if (part.reply == kMulti) {
    in_transaction_ = done;
    if (watched_ && !done) drop_connection();  // it would go on watching
  }
}

// Of several at once each is followed by its copies, which take the stamp as it is by then: a tag's
// never goes back.
void AddToStamp::append(client::Request& request) {
  constexpr std::size_t kCommandsPerTag = 2;
  request.command(4);
  request.argument("SET");
  request.argument(context_.stamp_key);
  request.number(static_cast<long long>(context_.facts.generation_after(0)));
  request.argument("NX");
  request.command(3);
  request.argument("INCRBY");
  request.argument(context_.stamp_key);
  request.number(1);
  append_copies(request);
  append_reading(request, 2 + kCommandsPerTag * stamps().size());
}

}  // namespace vcache::l2::command
