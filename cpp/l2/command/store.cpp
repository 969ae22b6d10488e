#include "l2/command/store.hpp"

#include <algorithm>

#include "base/tags.hpp"
#include "l2/codec/checksum.hpp"
#include "l2/codec/encoder.hpp"

namespace vcache::l2::command {

namespace {

// Bytes that are made before the first of them are sent.
constexpr std::size_t kPart = std::size_t{128} << 10;

}  // namespace

Store::Store(const Context& context, WriteSource& writes, std::span<Outcome> outcomes,
             codec::Packer& packer, Sharing sharing) noexcept
    : Batch(context), writes_(writes), outcomes_(outcomes), packer_(packer), sharing_(sharing) {}

bool Store::storable(const Write& write) const noexcept {
  return codec::encodable(write.value, context_.max_value);
}

void Store::append(client::Request& request) {
  stored_ = complete_ = closed_ = false;
  current_ = answered_ = appended_ = 0;
  stamp_ = seen_.value_or(context_.facts.generation());
  const bool first = stamp_ == 0 && !context_.generation_apart;
  before_ = first ? 1 : 0;
  if (first) {
    stamp_ = context_.facts.generation_after(0);
    append_new_generation(request, stamp_);
  }
  (void)append_more(request);
}

bool Store::append_more(client::Request& request) {
  if (closed_) return false;
  // All that came before was sent.
  if (request.size() == 0 && sharing_ == Sharing::kAlone) packer_.clear();
  const base::Millis now = context_.facts.now();
  for (; appended_ < writes_.size(); ++appended_) {
    if (request.size() >= kPart) return true;
    const Write& write = writes_.at(appended_);
    if (storable(write)) append_write(request, write, now);
  }
  closed_ = true;
  if (context_.generation_apart) return appended_ > 0;
  append_generation(request);
  return true;
}

void Store::append_write(client::Request& request, const Write& write, base::Millis now) {
  const bool expires = write.ttl > base::Millis::zero();
  const base::Millis grace = expires ? context_.grace : base::Millis::zero();
  request.command(expires ? 5 : 3);
  request.argument("SET");
  request.argument(context_.key_prefix, write.key);
  const codec::Fingerprint fingerprint = codec::fingerprint(context_.namespace_name, write.key);
  const codec::Packer::Packed packed = packer_.pack(write.value);
  const auto head = request.value(packed.head_size, packed.rest);
  packer_.finish(packed, write.value,
                 {.fingerprint = fingerprint,
                  .created = now,
                  .expires = expires ? now + write.ttl : base::Millis::zero(),
                  .generation = stamp_,
                  .tag_stamp = write.made.shared,
                  .grace = grace > base::Millis::zero()},
                 head);
  tracking::OwnWrites& own = context_.facts.own_writes();
  const std::uint64_t checksum = codec::stored_checksum(head);
  own.recording() ? own.record(write.key, fingerprint, checksum) : own.note(fingerprint, checksum);
  if (own.recording()) own.record_tags(base::decode_tags(write.value.tags));
  if (expires) {
    request.argument("PX");
    request.number((write.ttl + grace).count());
  }
}

void Store::on_part(const client::ReplyPart& part) noexcept {
  if (part.depth > 0) {
    seen_ = read_generation(part);
    context_.facts.set_generation(*seen_);
    return;
  }
  if (part.reply < before_) {
    if (part.type == client::ReplyType::kError) note_error(part);
    return;
  }
  while (current_ < writes_.size() && !storable(writes_.at(current_))) {
    count(ErrorKind::kTooBig);
    outcomes_[current_++] = Outcome::kFailed;
  }
  answered_ = current_;
  if (current_ < writes_.size()) {
    on_write(outcomes_[current_++], part);
    answered_ = current_;
  } else if (part.type == client::ReplyType::kError) {
    note_error(part);  // the generation is not to be learnt: the writes stand as they are
  } else {
    complete_ = true;
  }
}

void Store::on_write(Outcome& outcome, const client::ReplyPart& part) noexcept {
  outcome = Outcome::kFailed;
  if (part.type == client::ReplyType::kStatus) {
    outcome = Outcome::kHit;
    stored_ = true;
  } else if (part.type == client::ReplyType::kError) {
    refusal_ = note_error(part).kind;
  } else {
    note_nonsense();
  }
}

void Store::finish(Outcome outcome) noexcept {
  std::ranges::fill(outcomes_.subspan(answered_), outcome);
}

}  // namespace vcache::l2::command
