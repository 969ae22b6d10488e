#include "cache/snapshot/reader.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace vcache::cache::snapshot {

namespace {

constexpr l2::codec::Limits kNoLimits{.max_value = std::numeric_limits<std::uint32_t>::max()};

std::string name_in(const FileHead& head) { return {head.name.data(), head.name_bytes}; }

// Why a file with this head is not for the cache; empty: it is.
std::string refusal_of(const FileHead& head, const std::string& name, bool is_shared,
                       bool has_keys) {
  if (head.magic != kMagic) return "it is no snapshot of vcache";
  if (head.version > kVersion) return "it is of a later version of vcache";
  if (head.version == 0 || head.size != sizeof head || head.checksum != checksum_of(head) ||
      head.name_bytes > head.name.size() || head.policy_bytes > head.policy.size()) {
    return "its head is damaged";
  }
  if ((head.flags & ~flag::kKnown) != 0) return "it is of a later version of vcache";
  if (name_in(head) != name) {
    return "it is of the namespace '" + name_in(head) + "', and this cache's is '" + name + "'";
  }
  const bool is_encrypted = (head.flags & flag::kEncrypted) != 0;
  if (is_encrypted && !has_keys) return "it is encrypted, and this cache has no encryption_key";
  if (!is_encrypted && has_keys) {
    return "it is not encrypted, and this cache has an encryption_key";
  }
  if ((head.flags & flag::kShared) != 0 && !is_shared) {
    return "it is of a cache with Redis, without which nothing says what was changed since";
  }
  return {};
}

bool is_sound(const RecordHead& head) noexcept {
  return head.key_bytes <= base::kMaxKeyBytes && head.marks <= kMostMarks &&
         std::isfinite(head.weight) && head.ends >= 0 && head.reserved == 0 &&
         (head.is_last() || head.value_bytes > 0);
}

}  // namespace

Reader::Reader(const std::string& path, std::string name,
               std::shared_ptr<const l2::codec::Keyring> keys)
    : name_(std::move(name)),
      packing_{.keys = std::move(keys)},
      unpacker_(packing_, kNoLimits),
      file_(path) {}

Failure Reader::open(bool is_shared) {
  if (const int number = file_.open(); number != 0) return {.error_number = number};
  const base::ByteView bytes = file_.peek(sizeof head_);
  if (file_.error_number() != 0) return {.error_number = file_.error_number()};
  head_ = {.magic = {}};
  std::memcpy(&head_, bytes.data(), bytes.size());
  if (head_.magic == kMagic && bytes.size() < sizeof head_) {
    return {.refusal = "its head is damaged"};
  }
  file_.skip(bytes.size());
  return {.refusal = refusal_of(head_, name_, is_shared, packing_.keys != nullptr)};
}

bool Reader::next(Record& record) {
  base::ByteView head_bytes;
  if (!damage_.empty() || !read_head(head_bytes, record.head)) return false;
  const RecordHead& head = record.head;
  if (head.is_last()) return check_end(head);
  // A length is believed only within the file.
  if (head.record_bytes() > file_.left()) return stop("cut");
  const base::ByteView bytes = file_.peek(head.record_bytes());
  if (bytes.size() < head.record_bytes()) return stop("cut");
  record.key = {reinterpret_cast<const char*>(bytes.data()) + sizeof head, head.key_bytes};
  record.marks.resize(head.marks);
  std::memcpy(record.marks.data(), bytes.data() + sizeof head + head.key_bytes,
              record.marks.size() * sizeof(l1::TagMarks::Mark));
  if (!read_value(bytes.subspan(head.head_bytes()), record)) return false;
  file_.skip(head.record_bytes());
  ++place_;
  return true;
}

bool Reader::read_head(base::ByteView& head_bytes, RecordHead& head) {
  head_bytes = file_.peek(sizeof head);
  if (head_bytes.size() < sizeof head) return stop("cut");
  std::memcpy(&head, head_bytes.data(), sizeof head);
  if (head.head_bytes() > file_.left()) return stop("cut or altered");
  head_bytes = file_.peek(head.head_bytes());
  if (head_bytes.size() < head.head_bytes()) return stop("cut");
  if (head.checksum != checksum_of(head_bytes, head_.nonce, place_)) return stop("altered");
  return is_sound(head) || stop("altered");
}

// The times are in the value's own header as well, which is authentic where it is encrypted.
bool Reader::read_value(base::ByteView bytes, Record& record) {
  constexpr std::int64_t kMilli = 1'000'000;
  const auto decoded = unpacker_.decode(bytes, l2::codec::fingerprint(name_, record.key));
  if (decoded.refusal == l2::codec::Refusal::kMemory) throw std::bad_alloc();
  if (decoded.refusal == l2::codec::Refusal::kDecrypt) {
    is_locked_ = true;
    return stop("encrypted with none of this cache's keys, or altered");
  }
  if (!decoded.ok()) return stop("altered");
  const RecordHead& head = record.head;
  const std::int64_t ends = head.ends == kNoEnd ? 0 : head.ends / kMilli;
  const std::int64_t created = std::max<std::int64_t>(head.created, 0) / kMilli;
  if (decoded.expires.count() != ends || decoded.created.count() != created) {
    return stop("altered");
  }
  record.value = decoded.value;
  return true;
}

bool Reader::check_end(const RecordHead& head) {
  if (std::cmp_not_equal(head.created, place_) || std::cmp_not_equal(head.ends, file_.at())) {
    return stop("altered");
  }
  if (file_.left() != sizeof head) damage_ = "bytes behind the end";
  return false;
}

bool Reader::stop(const std::string& why) {
  if (file_.error_number() != 0) {
    damage_ = "byte " + std::to_string(file_.at()) +
              ": cannot be read: " + std::strerror(file_.error_number());  // NOLINT(*-mt-unsafe)
  } else {
    damage_ =
        "entry " + std::to_string(place_) + " at byte " + std::to_string(file_.at()) + ": " + why;
  }
  return false;
}

}  // namespace vcache::cache::snapshot
