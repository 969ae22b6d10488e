#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace vcache::testing {

// AddressSanitizer's allocator takes no part in a fork: a child of a process whose other threads
// allocate may wait for ever for a lock of it. ThreadSanitizer's does.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kForksUnderLoad = false;
#else
inline constexpr bool kForksUnderLoad = true;
#endif

// ThreadSanitizer ends a child of a process with threads that starts one itself.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadsInChildren = false;
#else
inline constexpr bool kThreadsInChildren = true;
#endif

// True when `check` is true in a forked child; false as well where it takes over half a minute.
inline bool holds_in_child(const std::function<bool()>& check) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    _exit(check() ? 0 : 1);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace vcache::testing
