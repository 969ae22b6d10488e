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

void Restamp::begin() {
  value_.clear();
  generation_ = context_.facts.generation();
}

void Restamp::append_watch(client::Request& request) const {
  request.command(2);
  request.argument("WATCH");
  request.argument(context_.key_prefix, key_);
}

void Restamp::append_read(client::Request& request) {
  request.command(context_.generation_apart ? 2 : 3);
  request.argument("MGET");
  if (!context_.generation_apart) request.argument(context_.generation_key);
  request.argument(context_.key_prefix, key_);
}

void Restamp::append_write(client::Request& request) const {
  if (value_.empty()) return;
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
  give_up();
  return true;
}

void Restamp::on_read(const client::ReplyPart& part) noexcept {
  if (part.depth == 1 && part.index == 0 && !context_.generation_apart) {
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

}  // namespace vcache::l2::command
