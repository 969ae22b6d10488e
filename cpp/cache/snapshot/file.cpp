#include "cache/snapshot/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>
#include <utility>

namespace vcache::cache::snapshot {

namespace {

constexpr std::size_t kReadAhead = std::size_t{256} << 10;  // stays in the cache of a core

constexpr std::uint64_t kSyncEach = std::uint64_t{8} << 20;

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string random_suffix() {
  std::random_device device;
  std::array<char, 32> text{};
  const int size = std::snprintf(text.data(), text.size(), ".%08x%08x.tmp", device(), device());
  return {text.data(), static_cast<std::size_t>(size)};
}

// A rename lasts once its folder is written. Where that cannot be done it is as if it came later.
void sync_folder(const std::string& folder) noexcept {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  (void)::fsync(descriptor);
  (void)::close(descriptor);
}

}  // namespace

NewFile::NewFile(std::string path) : path_(std::move(path)) {}

NewFile::~NewFile() {
  if (descriptor_ < 0) return;
  (void)::close(descriptor_);
  (void)::unlink(beside_.c_str());
}

int NewFile::open() {
  struct stat status{};
  if (::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
  }
  beside_ = path_ + random_suffix();
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  descriptor_ = ::open(beside_.c_str(), flags, S_IRUSR | S_IWUSR);
  return descriptor_ < 0 ? errno : 0;
}

int NewFile::write(base::ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    bytes_ += static_cast<std::uint64_t>(written);
  }
  begin_sync();
  return 0;
}

// So that the disk works while more is made, and commit() waits for less.
void NewFile::begin_sync() noexcept {
#ifdef SYNC_FILE_RANGE_WRITE
  if (bytes_ - begun_ < kSyncEach) return;
  const auto from = static_cast<off_t>(begun_);
  const auto size = static_cast<off_t>(bytes_ - begun_);
  (void)::sync_file_range(descriptor_, from, size, SYNC_FILE_RANGE_WRITE);
  begun_ = bytes_;
#endif
}

int NewFile::commit() {
  if (::fsync(descriptor_) != 0 || ::rename(beside_.c_str(), path_.c_str()) != 0) return errno;
  (void)::close(std::exchange(descriptor_, -1));
  sync_folder(folder_of(path_));
  return 0;
}

OldFile::~OldFile() {
  if (descriptor_ >= 0) (void)::close(descriptor_);
}

int OldFile::open() {
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) return errno;
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  if (!S_ISREG(status.st_mode)) return EINVAL;
  size_ = static_cast<std::uint64_t>(status.st_size);
  (void)::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
  return 0;
}

base::ByteView OldFile::peek(std::size_t size) {
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, left()));
  if (end_ - begin_ < size) fill(size);
  return std::span(buffer_).subspan(begin_, std::min(size, end_ - begin_));
}

void OldFile::fill(std::size_t size) {
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= begin_;
  begin_ = 0;
  const std::size_t room = std::max(size, kReadAhead);
  if (buffer_.size() < room || buffer_.size() > 4 * room) buffer_.resize(room);
  while (end_ < size) {
    const ssize_t read = ::read(descriptor_, buffer_.data() + end_, buffer_.size() - end_);
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) error_number_ = errno;
    if (read <= 0) return;
    end_ += static_cast<std::size_t>(read);
  }
}

void OldFile::skip(std::size_t size) noexcept {
  begin_ += size;
  at_ += size;
}

}  // namespace vcache::cache::snapshot
