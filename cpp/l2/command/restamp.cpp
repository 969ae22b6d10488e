#include "l2/command/restamp.hpp"

#include <cstring>
#include <exception>
#include <span>

#include "l2/codec/checksum.hpp"
#include "l2/codec/format.hpp"
#include "l2/codec/packer.hpp"
#include "l2/codec/unpacker.hpp"
#include "l2/command/header_check.hpp"

namespace vcache::l2::command {

namespace {

enum ReadReply : std::uint8_t { kWatch, kValue, kMulti };

}  // namespace

// MULTI goes with the reading: were it refused behind it, the SET would be no part of a
// transaction.
void Restamp::append(client::Request& request) {
  watched_ = in_transaction_ = false;
  value_.clear();
  if (stage_ == Stage::kGivenUp) return;
  stage_ = Stage::kReading;
  request.command(2);
  request.argument("WATCH");
  request.argument(context_.key_prefix, key_);
  generation_ = context_.facts.generation();
  request.command(context_.generation_apart ? 2 : 3);
  request.argument("MGET");
  if (!context_.generation_apart) request.argument(context_.generation_key);
  request.argument(context_.key_prefix, key_);
  request.command(1);
  request.argument("MULTI");
}

bool Restamp::append_next(client::Request& request) {
  if (stage_ != Stage::kReading || !in_transaction_) return false;
  stage_ = Stage::kWriting;
  if (watched_ && !value_.empty()) append_value(request);
  request.command(1);
  request.argument("EXEC");
  return true;
}

void Restamp::append_value(client::Request& request) const {
  const auto bytes = std::as_bytes(std::span(value_));
  const bool expires = ttl_ > base::Millis::zero();
  request.command(expires ? 5 : 3);
  request.argument("SET");
  request.argument(context_.key_prefix, key_);
  const auto head = request.value(codec::kHeaderSize, bytes.subspan(codec::kHeaderSize));
  std::memcpy(head.data(), bytes.data(), head.size());
  if (expires) {
    request.argument("PX");
    request.number((ttl_ + context_.grace).count());
  }
}

bool Restamp::skip_oversized() noexcept {
  stage_ = Stage::kGivenUp;
  return true;
}

void Restamp::on_part(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kError) note_error(part);
  if (stage_ == Stage::kReading) {
    on_read(part);
  } else {
    on_written(part);
  }
}

void Restamp::on_read(const client::ReplyPart& part) noexcept {
  const bool done = part.type == client::ReplyType::kStatus;
  if (part.reply == kWatch) {
    watched_ = done;
  } else if (part.reply == kMulti) {
    in_transaction_ = done;
    if (watched_ && !done) drop_connection();  // it would go on watching
  } else if (part.depth == 1 && part.index == 0 && !context_.generation_apart) {
    generation_ = read_generation(part);
  } else if (part.depth == 1 && part.type == client::ReplyType::kString) {
    take_value(part);
  }
}

// Only what a fetch would serve: a new checksum must not make an altered value look sound.
void Restamp::take_value(const client::ReplyPart& part) noexcept {
  const auto bytes = std::as_bytes(std::span(part.text));
  const codec::Fingerprint fingerprint = codec::fingerprint(context_.namespace_name, key_);
  codec::Unpacker unpacker(context_.packing, {.max_value = context_.max_value});
  const auto result = unpacker.decode(bytes, fingerprint);
  if (!result.ok() || generation_ == 0 || result.generation != generation_) return;
  const base::Millis now = context_.facts.now();
  if (has_expired(result, now)) return;
  const bool expires = ttl_ > base::Millis::zero();
  try {
    value_ = part.text;
    codec::Packer packer(context_.packing);
    const auto whole = std::as_writable_bytes(std::span(value_));
    const bool done = packer.restamp(whole, expires ? now + ttl_ : base::Millis::zero(),
                                     expires && context_.grace > base::Millis::zero());
    if (!done) return value_.clear();
    context_.facts.own_writes().note_again(fingerprint, codec::stored_checksum(bytes),
                                           codec::stored_checksum(whole));
  } catch (const std::exception&) {
    count(ErrorKind::kMemory);
  }
}

// The last reply is that of EXEC: nothing when someone else changed the entry, whose expiry it is
// now.
void Restamp::on_written(const client::ReplyPart& part) noexcept {
  if (part.depth == 0 && part.type == client::ReplyType::kError) drop_connection();
}

}  // namespace vcache::l2::command
