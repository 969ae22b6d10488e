#include "l2/tracking/wake_up.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace vcache::l2::tracking {

void WakeUp::open() {
  const int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category());
  descriptor_.store(descriptor);
}

void WakeUp::close() noexcept {
  if (const int descriptor = descriptor_.exchange(-1); descriptor >= 0) ::close(descriptor);
}

void WakeUp::ring() noexcept {
  const std::uint64_t one = 1;
  (void)!write(descriptor_.load(), &one, sizeof one);  // when it is full, it rings
}

void WakeUp::hush() noexcept {
  std::uint64_t rings = 0;
  (void)!read(descriptor_.load(), &rings, sizeof rings);
}

}  // namespace vcache::l2::tracking
