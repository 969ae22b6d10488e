#include "l2/command/header_check.hpp"

#include <span>

#include "l2/codec/format.hpp"

namespace vcache::l2::command {

void append_header(client::Request& request, const Context& context, std::string_view key) {
  request.command(4);
  request.argument("GETRANGE");
  request.argument(context.key_prefix, key);
  request.number(0);
  request.number(static_cast<long long>(codec::kHeaderSize) - 1);
}

bool has_expired(const codec::DecodeResult& result, base::Millis now) noexcept {
  return result.grace && result.expires != base::Millis::zero() && result.expires <= now;
}

bool has_tags(const client::ReplyPart& part) noexcept {
  if (part.type != client::ReplyType::kString || part.text.size() < codec::kHeaderSize)
    return false;
  return (static_cast<std::uint8_t>(part.text[codec::offset::kFlags]) & codec::flag::kTags) != 0;
}

Outcome judge_header(const client::ReplyPart& part, const Context& context, std::string_view key,
                     std::uint64_t generation) noexcept {
  if (part.type != client::ReplyType::kString || part.text.empty()) return Outcome::kMiss;
  const auto result = codec::decode_header(std::as_bytes(std::span(part.text)),
                                           codec::fingerprint(context.namespace_name, key));
  if (!result.ok() || result.form.encrypted() != static_cast<bool>(context.packing.keys)) {
    return Outcome::kMiss;
  }
  const bool is_current = generation != 0 && result.generation == generation;
  return is_current && !has_expired(result, context.facts.now()) ? Outcome::kHit
                                                                 : Outcome::kExpired;
}

}  // namespace vcache::l2::command
