#include "l2/client/tls.hpp"

#include <sys/stat.h>

#include <array>
#include <new>
#include <utility>

#include "base/mutex.hpp"
#include "l2/client/tls_transport.hpp"

namespace vcache::l2::client {

namespace {

// What changes when a file is replaced or written to.
struct FileStamp {
  ino_t inode = 0;
  off_t size = 0;
  timespec changed{};

  bool operator==(const FileStamp& other) const noexcept {
    return inode == other.inode && size == other.size && changed.tv_sec == other.changed.tv_sec &&
           changed.tv_nsec == other.changed.tv_nsec;
  }
};
using FileStamps = std::array<FileStamp, 3>;

FileStamp stamp_of(const std::string& path) noexcept {
  struct stat status{};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return {.inode = status.st_ino, .size = status.st_size, .changed = status.st_mtim};
}

class TlsTransports final : public TransportMaker {
 public:
  TlsTransports(TlsOptions options, std::string host)
      : options_(std::move(options)), host_(std::move(host)) {}

  [[nodiscard]] base::Result<std::unique_ptr<Transport>> make(Socket socket,
                                                              Deadline deadline) const override {
    try {
      base::Result<TlsContext> rules = context();
      if (!rules.ok()) return rules.error();
      auto made = std::make_unique<TlsTransport>(std::move(socket), std::move(rules).value());
      if (base::Error error = made->shake_hands(host_, deadline); !error.ok()) return error;
      return std::unique_ptr<Transport>(std::move(made));
    } catch (const std::bad_alloc&) {
      return base::Error{base::ErrorCode::kTls, "out of memory"};
    }
  }

 private:
  [[nodiscard]] base::Result<TlsContext> context() const {
    const FileStamps stamps = {stamp_of(options_.ca_file), stamp_of(options_.cert_file),
                               stamp_of(options_.key_file)};
    if (TlsContext known = known_context(stamps)) return known;
    base::Result<TlsContext> made = make_tls_context(options_);
    if (made.ok()) {
      const base::MutexLock lock(mutex_);
      context_ = made.value();
      stamps_ = stamps;
    }
    return made;
  }

  [[nodiscard]] TlsContext known_context(const FileStamps& stamps) const {
    const base::MutexLock lock(mutex_);
    return stamps == stamps_ ? context_ : nullptr;
  }

  // Constant after construction.
  const TlsOptions options_;
  const std::string host_;

  mutable base::Mutex mutex_;
  mutable TlsContext context_ VCACHE_GUARDED_BY(mutex_);
  mutable FileStamps stamps_ VCACHE_GUARDED_BY(mutex_){};  // of the files it was made of
};

}  // namespace

std::unique_ptr<TransportMaker> tls_transports(TlsOptions options, std::string host) {
  return std::make_unique<TlsTransports>(std::move(options), std::move(host));
}

base::Error check_tls(const TlsOptions& options) {
  const base::Result<TlsContext> made = make_tls_context(options);
  return made.ok() ? base::Error{} : made.error();
}

}  // namespace vcache::l2::client
