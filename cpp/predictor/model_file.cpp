#include "predictor/model_file.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace vcache::predictor {

namespace {

using base::Error;
using base::ErrorCode;

class File {
 public:
  explicit File(const std::string& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

Error invalid(const std::string& path, const std::string& what) {
  return {.code = ErrorCode::kInvalid, .detail = "model file '" + path + "' " + what};
}

Error unreadable(const std::string& path) {
  std::array<char, 128> buffer{};
  return invalid(path,
                 std::string("cannot be read: ") + strerror_r(errno, buffer.data(), buffer.size()));
}

Error check_status(const std::string& path, const struct stat& status, std::string_view sha256) {
  if (!S_ISREG(status.st_mode)) return invalid(path, "is not a regular file");
  if (status.st_size <= 0) return invalid(path, "is empty");
  if (std::cmp_greater(status.st_size, kMaxModelBytes)) {
    return invalid(path, "has " + std::to_string(status.st_size) + " bytes, allowed are " +
                             std::to_string(kMaxModelBytes));
  }
  if (sha256.empty() && (status.st_mode & S_IWOTH) != 0) {
    return invalid(path, "may be written by any user: give its sha256");
  }
  return {};
}

// Exactly `bytes` of the file: what is appended meanwhile is not read.
base::Result<std::string> read_bytes(const File& file, const std::string& path, std::size_t bytes) {
  std::string data(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::read(file.get(), data.data() + done, bytes - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(path);
    if (got == 0) return invalid(path, "shrank while it was read");
    done += static_cast<std::size_t>(got);
  }
  return data;
}

bool same_digest(std::string_view actual, std::string_view expected) noexcept {
  return std::ranges::equal(
      actual, expected, [](char a, char e) { return a == (e >= 'A' && e <= 'F' ? e + 32 : e); });
}

}  // namespace

std::string sha256_hex(std::string_view data) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, 32> digest{};
  EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

base::Result<std::string> read_model(const std::string& path, std::string_view sha256) {
  const File file(path);
  if (file.get() < 0) return unreadable(path);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return unreadable(path);
  Error refused = check_status(path, status, sha256);
  if (!refused.ok()) return refused;
  base::Result<std::string> data = read_bytes(file, path, static_cast<std::size_t>(status.st_size));
  if (!data.ok() || sha256.empty()) return data;
  const std::string actual = sha256_hex(data.value());
  if (same_digest(actual, sha256)) return data;
  return invalid(path, "has sha256 " + actual + ", expected " + std::string(sha256));
}

}  // namespace vcache::predictor
