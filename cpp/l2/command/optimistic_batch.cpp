#include "l2/command/optimistic_batch.hpp"

namespace vcache::l2::command {

namespace {

enum ReadReply : std::uint8_t { kWatch, kRead, kMulti };

}  // namespace

// MULTI goes with the reading: were it refused behind it, what writes would be no part of a
// transaction.
void OptimisticBatch::append(client::Request& request) {
  watched_ = in_transaction_ = false;
  begin();
  if (stage_ == Stage::kGivenUp) return;
  stage_ = Stage::kReading;
  append_watch(request);
  append_read(request);
  request.command(1);
  request.argument("MULTI");
}

bool OptimisticBatch::append_next(client::Request& request) {
  if (stage_ != Stage::kReading || !in_transaction_) return false;
  stage_ = Stage::kWriting;
  if (watched_) append_write(request);
  request.command(1);
  request.argument("EXEC");
  return true;
}

void OptimisticBatch::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) note_error(part);
  if (stage_ == Stage::kReading) return on_reply_to_read(part);
  if (part.depth == 0 && part.type == client::ReplyType::kError) drop_connection();
  on_written(part);
}

void OptimisticBatch::on_reply_to_read(const client::ReplyPart& part) noexcept {
  const bool done = part.type == client::ReplyType::kStatus;
  if (part.reply == kWatch) {
    watched_ = done;
  } else if (part.reply == kMulti) {
    in_transaction_ = done;
    if (watched_ && !done) drop_connection();  // it would go on watching
  } else {
    on_read(part);
  }
}

}  // namespace vcache::l2::command
