#pragma once

#include <atomic>

namespace vcache::l2::tracking {

// A bell for a thread that waits in poll(). Thread-safe, but for open().
class WakeUp {
 public:
  WakeUp() = default;
  ~WakeUp() { close(); }
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  // Before it nobody hears it. Throws std::system_error where there is no descriptor left.
  void open();
  void close() noexcept;
  void ring() noexcept;
  // Makes it silent until the next ring().
  void hush() noexcept;
  // Readable while it rings.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.load(); }

 private:
  std::atomic<int> descriptor_{-1};
};

}  // namespace vcache::l2::tracking
