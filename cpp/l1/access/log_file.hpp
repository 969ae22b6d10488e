#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace vcache::l1 {

struct LogFileOptions {
  std::string path;
  std::size_t most_bytes = std::size_t{64} << 20;  // before the file is rotated
  int older = 3;  // files kept besides, at least 1: PATH.1 is the newest
};

// A file of lines that only its user may read. It is opened anew for each batch of lines, so that
// several processes may append to one path, and rotate it, and so that a folder that went away may
// come back. Used by one thread.
class LogFile {
 public:
  explicit LogFile(LogFileOptions options) : options_(std::move(options)) {}

  // Appends whole lines, each with its end, and rotates when the file is full. `written` becomes
  // the number of bytes that need not be given again. Lines longer than a file are in one alone.
  [[nodiscard]] base::Error append(std::string_view lines, std::size_t& written);
  // Whether lines could be appended; makes the file where there is none.
  [[nodiscard]] base::Error check() const;
  [[nodiscard]] const std::string& path() const noexcept { return options_.path; }

 private:
  class Opened;

  [[nodiscard]] std::string older_path(int age) const;
  [[nodiscard]] base::Error append_some(const Opened& file, std::string_view lines,
                                        std::size_t& written) const;
  [[nodiscard]] base::Error rotate() const;
  [[nodiscard]] std::string_view that_fits(std::string_view lines, std::size_t size) const noexcept;

  LogFileOptions options_;
};

}  // namespace vcache::l1
