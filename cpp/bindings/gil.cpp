#include "bindings/gil.hpp"

#include <sys/types.h>
#include <unistd.h>

#include "base/interruption.hpp"

namespace vcache::bindings {

thread_local GilRelease* GilRelease::latest_ = nullptr;

bool GilRelease::interrupted() noexcept {
  GilRelease* const release = latest_;
  if (release == nullptr || gettid() != getpid()) return false;
  if (!release->raised_) {
    release->restore();
    release->raised_ = PyErr_CheckSignals() != 0;
    release->state_ = PyEval_SaveThread();
  }
  return release->raised_;
}

void bind_signals(py::module_& /*module*/) { base::set_interruption(&GilRelease::interrupted); }

}  // namespace vcache::bindings
