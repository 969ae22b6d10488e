#include "l1/access/log_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <system_error>
#include <utility>

namespace vcache::l1 {

namespace {

constexpr mode_t kOwnerOnly = S_IRUSR | S_IWUSR;

base::Error system_error(int number) {
  return {base::ErrorCode::kInvalid, std::generic_category().message(number)};
}

// The bytes up to the end of the last whole line.
std::size_t whole_lines(std::string_view text) noexcept {
  const std::size_t end = text.rfind('\n');
  return end == std::string_view::npos ? 0 : end + 1;
}

}  // namespace

// The file under the path, open for appending while it lives, and locked against others of its kind
// unless one keeps it for so long that it must have been stopped.
class LogFile::Opened {
 public:
  explicit Opened(const std::string& path) noexcept
      : fd_(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                   kOwnerOnly)),
        error_(fd_ < 0 ? errno : 0) {
    if (error_ != 0) return;
    lock();
    examine();
  }
  // A child of a fork may hold the file open, and the lock with it, where only close() gives it up.
  ~Opened() {
    if (is_locked_) ::flock(fd_, LOCK_UN);
    if (fd_ >= 0) ::close(fd_);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  [[nodiscard]] base::Error error() const {
    if (error_ == 0 && !S_ISREG(status_.st_mode)) {
      return {base::ErrorCode::kInvalid, "Not a regular file"};
    }
    return error_ == 0 ? base::Error{} : system_error(error_);
  }
  [[nodiscard]] std::size_t size() const noexcept {
    return static_cast<std::size_t>(status_.st_size);
  }
  // Whether what was appended last, by whomever, is a part of a line.
  [[nodiscard]] bool ends_within_a_line() const noexcept {
    char last = '\n';
    return size() > 0 && ::pread(fd_, &last, 1, status_.st_size - 1) == 1 && last != '\n';
  }
  // Whether the path still leads to it.
  [[nodiscard]] bool is_at(const std::string& path) const noexcept {
    struct stat there{};
    return ::stat(path.c_str(), &there) == 0 && there.st_ino == status_.st_ino &&
           there.st_dev == status_.st_dev;
  }
  [[nodiscard]] bool is_locked() const noexcept { return is_locked_; }

  // `written` becomes how much of it is in the file.
  [[nodiscard]] base::Error append(std::string_view text, std::size_t& written) const {
    written = 0;
    while (written < text.size()) {
      const ssize_t done = ::write(fd_, text.data() + written, text.size() - written);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return system_error(done < 0 ? errno : ENOSPC);
      written += static_cast<std::size_t>(done);
    }
    return {};
  }

 private:
  void examine() noexcept {
    const bool failed = ::fstat(fd_, &status_) != 0 || (is_open_to_others() && !close_to_others());
    if (failed) error_ = errno;
  }
  [[nodiscard]] bool is_open_to_others() const noexcept {
    return S_ISREG(status_.st_mode) && (status_.st_mode & (S_IRWXG | S_IRWXO)) != 0;
  }
  [[nodiscard]] bool close_to_others() const noexcept { return ::fchmod(fd_, kOwnerOnly) == 0; }

  void lock() noexcept {
    constexpr int kTries = 50;
    for (int i = 0; i < kTries && !is_locked_; ++i) {
      if (i > 0) ::poll(nullptr, 0, 1);
      is_locked_ = ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
    }
  }

  int fd_;
  int error_;
  bool is_locked_ = false;
  struct stat status_{};
};

base::Error LogFile::check() const { return Opened(options_.path).error(); }

base::Error LogFile::append(std::string_view lines, std::size_t& written) {
  constexpr int kMostTurns = 8;  // in a row without a line: to rotate takes one
  written = 0;
  for (int turns = 0; written < lines.size(); ++turns) {
    if (turns == kMostTurns) return {base::ErrorCode::kInvalid, "Others replace it all the time"};
    const std::size_t before = written;
    const Opened file(options_.path);
    base::Error error = file.error();
    if (error.ok()) error = append_some(file, lines.substr(written), written);
    if (!error.ok()) return error;
    if (written > before) turns = -1;
  }
  return {};
}

// To this file, or else makes room for another one. Does nothing where another process did.
base::Error LogFile::append_some(const Opened& file, std::string_view lines,
                                 std::size_t& written) const {
  if (!file.is_at(options_.path)) return {};
  std::string_view part = that_fits(lines, file.size());
  if (part.empty() && file.is_locked()) return rotate();
  if (part.empty()) part = lines;
  std::size_t done = 0;
  base::Error error;
  if (file.ends_within_a_line()) error = file.append("\n", done);
  if (error.ok()) {
    error = file.append(part, done);
    written += whole_lines(part.substr(0, done));
  }
  return error;
}

// As many whole lines as the file has room for; the first, however long, when it is empty.
std::string_view LogFile::that_fits(std::string_view lines, std::size_t size) const noexcept {
  const std::size_t room = size < options_.most_bytes ? options_.most_bytes - size : 0;
  if (lines.size() <= room) return lines;
  const std::size_t whole = whole_lines(lines.substr(0, room));
  if (whole > 0 || size > 0) return lines.substr(0, whole);
  return lines.substr(0, lines.find('\n') + 1);
}

std::string LogFile::older_path(int age) const {
  return age == 0 ? options_.path : options_.path + "." + std::to_string(age);
}

// The oldest file is the first to be replaced, so that none but it is lost whenever this stops.
base::Error LogFile::rotate() const {
  for (int age = options_.older; age > 0; --age) {
    const int failed = ::rename(older_path(age - 1).c_str(), older_path(age).c_str());
    if (failed != 0 && errno != ENOENT) return system_error(errno);
  }
  return {};
}

}  // namespace vcache::l1
