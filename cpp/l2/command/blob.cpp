#include "l2/command/blob.hpp"

#include <cstdint>
#include <exception>

namespace vcache::l2::command {

namespace {

void append_get(client::Request& request, const Context& context, std::string_view name,
                std::size_t most) {
  request.command(4);
  request.argument("GETRANGE");
  request.argument(context.own_prefix, name);
  request.number(0);
  request.number(static_cast<long long>(most) - 1);
}

void append_set(client::Request& request, const Context& context, std::string_view name,
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
  append_get(request, context_, name_, most_);
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
  append_set(request, context_, name_, bytes_, lifetime_);
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

void ReplaceBlob::append_watch(client::Request& request) const {
  request.command(2);
  request.argument("WATCH");
  request.argument(context_.own_prefix, name_);
}

void ReplaceBlob::append_read(client::Request& request) {
  append_get(request, context_, name_, expected_.size() + 1);
}

void ReplaceBlob::append_write(client::Request& request) const {
  if (matches_) append_set(request, context_, name_, bytes_, lifetime_);
}

void ReplaceBlob::on_read(const client::ReplyPart& part) noexcept {
  matches_ = part.type == client::ReplyType::kString && part.text == expected_;
}

// The reply to SET is QUEUED; the one that counts is in that to EXEC.
void ReplaceBlob::on_written(const client::ReplyPart& part) noexcept {
  if (part.depth == 1 && part.type == client::ReplyType::kStatus) replaced_ = true;
}

}  // namespace vcache::l2::command
