#include "l2/command/fetch.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "base/tags.hpp"
#include "l2/codec/checksum.hpp"
#include "l2/codec/fingerprint.hpp"
#include "l2/command/header_check.hpp"

namespace vcache::l2::command {

namespace {

// Keys of one MGET. Few enough that the server sends the first values while the next keys are made.
constexpr std::size_t kChunk = 32;

// Longer than any entry lives, and short enough for nanoseconds.
constexpr base::Millis kLongest = std::chrono::hours(24 * 3653);

// From one time to another, both of which may be any number: 0 to kLongest.
base::Millis span_between(base::Millis from, base::Millis to) noexcept {
  constexpr base::Millis kZero{0};
  return std::clamp(std::max(to, kZero) - std::max(from, kZero), kZero, kLongest);
}

// What of a value lies elsewhere, in the order in which it is kept while held back.
constexpr std::array kParts = {&base::ValueView::payload, &base::ValueView::metadata,
                               &base::ValueView::tags};

// True when no tag has a later stamp than the value, nor none.
bool is_current(const StoredValue& stored, std::span<const base::TagStamp> stamps) noexcept {
  for (base::ByteView tags = stored.value.tags; !tags.empty();) {
    const std::string_view tag = base::take_tag(tags);
    const auto found = std::ranges::lower_bound(stamps, tag, {}, &base::TagStamp::tag);
    const bool known = found != stamps.end() && found->tag == tag && found->stamp != 0;
    if (!known || found->stamp > stored.made.shared) return false;
  }
  return true;
}

ErrorKind kind_of(codec::Refusal refusal) noexcept {
  switch (refusal) {
    case codec::Refusal::kMismatch:
      return ErrorKind::kMismatch;
    case codec::Refusal::kVersion:
      return ErrorKind::kVersion;
    case codec::Refusal::kTooBig:
      return ErrorKind::kTooBig;
    case codec::Refusal::kForeign:
      return ErrorKind::kForeign;
    case codec::Refusal::kDecrypt:
      return ErrorKind::kDecrypt;
    case codec::Refusal::kMemory:
      return ErrorKind::kMemory;
    default:
      return ErrorKind::kCorrupt;
  }
}

// Others are sound to another process: a newer one, or one with other keys or more memory.
bool is_spoilt(codec::Refusal refusal) noexcept {
  return refusal != codec::Refusal::kVersion && refusal != codec::Refusal::kDecrypt &&
         refusal != codec::Refusal::kMemory;
}

}  // namespace

void Fetch::append(client::Request& request) {
  first_ = asked_ = next_;
  (void)append_more(request);
}

bool Fetch::append_more(client::Request& request) {
  if (asked_ == keys_.size()) return false;
  const auto chunk = keys_.subspan(asked_, std::min(kChunk, keys_.size() - asked_));
  request.command(chunk.size() + 1 + lead());
  request.argument("MGET");
  if (lead() > 0) request.argument(context_.generation_key);
  for (const std::string_view key : chunk) request.argument(context_.key_prefix, key);
  asked_ += chunk.size();
  return true;
}

std::size_t Fetch::chunk_size(std::size_t reply) const noexcept {
  const std::size_t begin = first_ + reply * kChunk;
  return begin < keys_.size() ? std::min(kChunk, keys_.size() - begin) : 0;
}

void Fetch::on_part(const client::ReplyPart& part) noexcept {
  if (part.depth == 0) return on_reply(part);
  if (part.depth != 1) return note_nonsense();
  if (part.index == 0) now_ = context_.facts.now();
  if (part.index < lead()) {
    generation_ = read_generation(part);
    context_.facts.set_generation(generation_);
    return;
  }
  if (lead() == 0) generation_ = context_.facts.generation();
  // Out of step when an earlier reply was nonsense: such keys stay without an answer.
  if (next_ == first_ + part.reply * kChunk + part.index - lead() && next_ < keys_.size()) {
    on_value(part);
  }
}

void Fetch::on_reply(const client::ReplyPart& part) noexcept {
  const std::size_t size = chunk_size(part.reply);
  if (part.type == client::ReplyType::kError) {
    const Outcome outcome = outcome_of(note_error(part).code);
    if (next_ != first_ + part.reply * kChunk) return;
    for (std::size_t i = 0; i < size; ++i) absent(outcome);
    return;
  }
  if (part.type != client::ReplyType::kArray || std::cmp_not_equal(part.integer, size + lead())) {
    note_nonsense();
  }
}

void Fetch::on_value(const client::ReplyPart& part) noexcept {
  if (part.type == client::ReplyType::kNil) return absent(Outcome::kMiss);
  if (part.type != client::ReplyType::kString) {
    note_nonsense();
    return absent(Outcome::kMiss);
  }
  const auto expected = codec::fingerprint(context_.namespace_name, keys_[next_]);
  const auto bytes = std::as_bytes(std::span(part.text));
  const auto result = unpacker_.decode(bytes, expected);
  if (result.ok() && recorded_) {
    context_.facts.own_writes().record(keys_[next_], expected, codec::stored_checksum(bytes));
  }
  on_decoded(result);
}

void Fetch::on_decoded(const codec::DecodeResult& result) noexcept {
  if (!result.ok()) return refuse(result.refusal);
  if (generation_ == 0 || result.generation != generation_) return absent(Outcome::kExpired);
  StoredValue stored{.value = result.value, .age = span_between(result.created, now_)};
  if (result.expires != base::Millis{0}) stored.remaining = span_between(now_, result.expires);
  if (has_expired(result, now_)) {
    if (span_between(result.expires, now_) >= context_.grace) return absent(Outcome::kExpired);
    stored.stale = true;
  }
  if (result.value.tags.empty()) return sink_.on_value(next_++, stored);
  stored.made.shared = result.tag_stamp;
  try {
    hold(stored);
  } catch (const std::exception&) {
    refuse(codec::Refusal::kMemory);
  }
}

void Fetch::hold(const StoredValue& stored) {
  const base::ValueView& value = stored.value;
  Held held{.index = next_, .stored = stored};
  held.bytes.resize(value.payload.size() + value.metadata.size() + value.tags.size());
  std::byte* to = held.bytes.data();
  for (base::ByteView base::ValueView::* const part : kParts) {
    const base::ByteView from = value.*part;
    to = std::ranges::copy(from, to).out;
    held.stored.value.*part = {to - from.size(), from.size()};
  }
  if (recorded_) context_.facts.own_writes().record_tags(base::decode_tags(value.tags));
  held_.push_back(std::move(held));
  ++next_;
}

// Whoever steps the stamp gives it to his tags afterwards: of what bears it he may be the later
// one.
void Fetch::release(std::span<const base::TagStamp> stamps, std::uint64_t now) noexcept {
  for (Held& held : std::exchange(held_, {})) {
    if (is_current(held.stored, stamps)) {
      held.stored.made.shared = std::max(held.stored.made.shared, now - 1);
      sink_.on_value(held.index, held.stored);
    } else {
      sink_.on_absent(held.index, Outcome::kExpired);
    }
  }
}

void Fetch::release_none(Outcome outcome) noexcept {
  for (const Held& held : std::exchange(held_, {})) sink_.on_absent(held.index, outcome);
}

void Fetch::refuse(codec::Refusal refusal) noexcept {
  count(kind_of(refusal));
  if (is_spoilt(refusal)) spoil();
  if (refusal == codec::Refusal::kCorrupt || refusal == codec::Refusal::kMismatch) suspect();
  absent(Outcome::kMiss);
}

void Fetch::spoil() noexcept {
  try {
    spoiled_.push_back(keys_[next_]);
  } catch (const std::exception&) {
    count(ErrorKind::kMemory);  // the value is refused again next time
  }
}

bool Fetch::skip_oversized() noexcept {
  if (next_ < keys_.size()) refuse(codec::Refusal::kTooBig);
  return true;
}

void Fetch::finish(Outcome outcome) noexcept {
  while (next_ < keys_.size()) absent(outcome);
}

}  // namespace vcache::l2::command
