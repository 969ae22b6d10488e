#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cache/snapshot/file.hpp"
#include "cache/snapshot/format.hpp"
#include "l1/tag_marks.hpp"
#include "l2/codec/unpacker.hpp"

namespace vcache::cache::snapshot {

// An entry as a file has it. Views are valid until the next one is read.
struct Record {
  RecordHead head = {};
  std::string_view key;
  std::vector<l1::TagMarks::Mark> marks;
  base::ValueView value;
};

// Reads a snapshot and believes nothing that it has not checked. Used by one thread.
class Reader {
 public:
  Reader(const std::string& path, std::string name, std::shared_ptr<const l2::codec::Keyring> keys);

  // Requires: called once, first. `is_shared`: the cache it is for has Redis.
  [[nodiscard]] Failure open(bool is_shared);
  // The next entry; false at the end, and where the file is damaged. Throws std::bad_alloc.
  [[nodiscard]] bool next(Record& record);

  [[nodiscard]] const FileHead& head() const noexcept { return head_; }
  [[nodiscard]] std::string_view policy() const noexcept {
    return {head_.policy.data(), head_.policy_bytes};
  }
  // What is wrong with the file; empty: nothing so far.
  [[nodiscard]] const std::string& damage() const noexcept { return damage_; }
  // The file was encrypted with none of the keys.
  [[nodiscard]] bool is_locked() const noexcept { return is_locked_; }

 private:
  [[nodiscard]] bool read_head(base::ByteView& head_bytes, RecordHead& head);
  [[nodiscard]] bool read_value(base::ByteView bytes, Record& record);
  [[nodiscard]] bool check_end(const RecordHead& head);
  [[nodiscard]] bool stop(const std::string& why);

  const std::string name_;
  const l2::codec::Packing packing_;
  l2::codec::Unpacker unpacker_;
  OldFile file_;
  FileHead head_;
  std::uint64_t place_ = 0;  // of the next record
  std::string damage_;
  bool is_locked_ = false;
};

}  // namespace vcache::cache::snapshot
