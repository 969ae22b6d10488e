#pragma once

#include <unistd.h>

namespace vcache::base {

// Runs a step that may end the thread: pthread_exit() unwinds the stack as an exception would. Then
// the thread stops here for ever, so that no destructor above runs and no `noexcept` is passed.
// Requires: the step throws nothing of its own, which would stop the thread as well.
template <class Step>
void run_or_stop(Step&& step) noexcept {
  try {
    step();
  } catch (...) {
    while (true) pause();
  }
}

}  // namespace vcache::base
