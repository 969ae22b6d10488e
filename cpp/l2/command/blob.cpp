#include "l2/command/blob.hpp"

#include <cstdint>
#include <exception>

namespace vcache::l2::command {

namespace {

enum ReadReply : std::uint8_t { kWatch, kBytes, kMulti };

void append_read(client::Request& request, const Context& context, std::string_view name,
                 std::size_t most) {
  request.command(4);
  request.argument("GETRANGE");
  request.argument(context.own_prefix, name);
  request.number(0);
  request.number(static_cast<long long>(most) - 1);
}

void append_write(client::Request& request, const Context& context, std::string_view name,
                  std::string_view bytes, base::Millis lifetime) {
  request.command(5);
  request.argument("SET");
  request.argument(context.own_prefix, name);
  request.argument(bytes);
  request.argument("PX");
  request.number(lifetime.count());
}

}  // namespace

void ReadBlob::append(client::Request& request) {
  bytes_.clear();
  append_read(request, context_, name_, most_);
}

void ReadBlob::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note_error(part);
    return;
  }
  if (part.type != client::ReplyType::kString || part.text.size() > most_) return note_nonsense();
  try {
    bytes_ = part.text;
  } catch (const std::exception&) {
    count(ErrorKind::kMemory);
  }
}

void WriteBlob::append(client::Request& request) {
  append_write(request, context_, name_, bytes_, lifetime_);
}

void WriteBlob::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) {
    note_error(part);
  } else if (part.type != client::ReplyType::kStatus) {
    note_nonsense();
  }
}

void EraseBlob::append(client::Request& request) {
  request.command(2);
  request.argument("UNLINK");
  request.argument(context_.own_prefix, name_);
}

void EraseBlob::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) note_error(part);
}

// MULTI goes with the reading: were it refused behind it, SET would be no part of a transaction.
void ReplaceBlob::append(client::Request& request) {
  replaced_ = false;
  reading_ = true;
  watched_ = matches_ = in_transaction_ = false;
  request.command(2);
  request.argument("WATCH");
  request.argument(context_.own_prefix, name_);
  append_read(request, context_, name_, expected_.size() + 1);
  request.command(1);
  request.argument("MULTI");
}

bool ReplaceBlob::append_next(client::Request& request) {
  if (!reading_ || !in_transaction_) return false;
  reading_ = false;
  if (watched_ && matches_) append_write(request, context_, name_, bytes_, lifetime_);
  request.command(1);
  request.argument("EXEC");
  return true;
}

void ReplaceBlob::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) note_error(part);
  if (reading_) {
    on_read(part);
  } else {
    on_written(part);
  }
}

void ReplaceBlob::on_read(const client::ReplyPart& part) noexcept {
  const bool done = part.type == client::ReplyType::kStatus;
  if (part.reply == kWatch) {
    watched_ = done;
  } else if (part.reply == kMulti) {
    in_transaction_ = done;
    if (watched_ && !done) drop_connection();  // it would go on watching
  } else if (part.reply == kBytes) {
    matches_ = part.type == client::ReplyType::kString && part.text == expected_;
  }
}

// The reply to SET is QUEUED; the one that counts is in that to EXEC, which is nil where another
// wrote meanwhile.
void ReplaceBlob::on_written(const client::ReplyPart& part) noexcept {
  if (part.depth == 0 && part.type == client::ReplyType::kError) drop_connection();
  if (part.depth == 1 && part.type == client::ReplyType::kStatus) replaced_ = true;
}

}  // namespace vcache::l2::command
