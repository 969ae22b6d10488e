#include "l2/tracking/verify.hpp"

#include <cstring>

#include "l2/client/server_error.hpp"
#include "l2/codec/fingerprint.hpp"
#include "l2/codec/format.hpp"

namespace vcache::l2::tracking {

namespace {

constexpr auto kFirst = static_cast<long long>(codec::offset::kChecksum);
constexpr long long kLast = kFirst + static_cast<long long>(sizeof(std::uint64_t)) - 1;

}  // namespace

Verify::Verify(const command::Context& context, std::span<const std::string> keys, bool generation)
    : Batch(context), keys_(keys), generation_(generation) {
  expected_.reserve(keys.size());
  changed_.reserve(keys.size());
  for (const std::string& key : keys) {
    Expected each{.fingerprint = codec::fingerprint(context.namespace_name, key)};
    if (const auto checksum = context.facts.own_writes().find(each.fingerprint)) {
      each.checksum = *checksum;
      each.known = true;
    }
    expected_.push_back(each);
  }
}

void Verify::append(client::Request& request) {
  for (const std::string& key : keys_) {
    request.command(4);
    request.argument("GETRANGE");
    request.argument(context_.key_prefix, key);
    request.number(kFirst);
    request.number(kLast);
  }
  if (generation_) append_generation(request);
}

void Verify::on_part(const client::ReplyPart& part) noexcept {
  const bool failed = part.type == client::ReplyType::kError;
  // That a key has moved elsewhere is an answer: it is not what this process wrote.
  if (failed && client::classify(part.text).kind != ErrorKind::kCluster) note_error(part);
  if (part.reply < keys_.size()) {
    if (part.depth == 0) judge(part.reply, part);
    return;
  }
  const std::uint64_t found = part.depth > 0 ? read_generation(part) : 0;
  generation_changed_ = found == 0 || found != context_.facts.own_writes().generation();
}

void Verify::judge(std::size_t index, const client::ReplyPart& part) noexcept {
  const Expected& expected = expected_[index];
  std::uint64_t found = 0;
  const bool whole = part.type == client::ReplyType::kString && part.text.size() == sizeof found;
  if (whole) std::memcpy(&found, part.text.data(), sizeof found);
  if (whole && expected.known && found == expected.checksum) return;
  OwnWrites& own = context_.facts.own_writes();
  if (expected.known &&
      own.find(expected.fingerprint).value_or(expected.checksum) != expected.checksum) {
    return;
  }
  own.forget(expected.fingerprint);
  changed_.push_back(keys_[index]);  // reserved
}

}  // namespace vcache::l2::tracking
