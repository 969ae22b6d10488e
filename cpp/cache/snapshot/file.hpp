#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/value.hpp"

namespace vcache::cache::snapshot {

// Why a file could not be used.
struct Failure {
  int error_number = 0;      // of the system
  std::string refusal = {};  // what is wrong with the file, or with its use here
  bool interrupted = false;  // a signal handler raised meanwhile

  [[nodiscard]] bool any() const noexcept {
    return error_number != 0 || !refusal.empty() || interrupted;
  }
};

// A file that appears under its path whole or not at all: it is written beside it, readable for
// its owner alone, and renamed. What was there before stays until then.
class NewFile {
 public:
  explicit NewFile(std::string path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  // Each returns the system's error number, or 0.
  [[nodiscard]] int open();
  [[nodiscard]] int write(base::ByteView bytes);
  // Makes it last, and appear.
  [[nodiscard]] int commit();
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  void begin_sync() noexcept;

  const std::string path_;
  std::string beside_;
  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
  std::uint64_t begun_ = 0;  // of them, those that the system was told to write
};

// A file read from its begin to its end in chunks.
class OldFile {
 public:
  explicit OldFile(std::string path) : path_(std::move(path)) {}
  ~OldFile();
  OldFile(const OldFile&) = delete;
  OldFile& operator=(const OldFile&) = delete;

  // Returns the system's error number, or 0.
  [[nodiscard]] int open();
  // The next `size` bytes, which stay where they are; fewer at the end of the file or where it
  // cannot be read. Valid until the next call. Throws std::bad_alloc.
  [[nodiscard]] base::ByteView peek(std::size_t size);
  // Goes on behind bytes that peek() gave.
  void skip(std::size_t size) noexcept;
  // Behind what was skipped, at the time the file was opened.
  [[nodiscard]] std::uint64_t left() const noexcept { return size_ - at_; }
  [[nodiscard]] std::uint64_t at() const noexcept { return at_; }
  [[nodiscard]] int error_number() const noexcept { return error_number_; }

 private:
  void fill(std::size_t size);

  const std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t at_ = 0;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  int error_number_ = 0;
};

}  // namespace vcache::cache::snapshot
