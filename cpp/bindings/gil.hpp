#pragma once

#include <utility>

#include "base/last_stop.hpp"
#include "bindings/python.hpp"

namespace vcache::bindings {

// Lets other threads run Python while it lives. The rule: made where every Python object has become
// a C++ value and the work left may take over a microsecond, which are calls that may touch Redis,
// batches, and payloads over kLongBytes; no Python object is touched until its end. (To release and
// take back costs a tenth of a microsecond, and more where other threads want the GIL.)
//
// While it lives, waits for Redis end when a handler of a signal raises: its exception is then set
// when Python goes on, and to be raised whatever else the call has come to (raise_pending).
//
// A thread that finds the interpreter gone at the end of its work stops there for ever, as Python
// 3.14 has it: older ones end the thread inside this destructor, which ends the process.
class GilRelease {
 public:
  static constexpr std::size_t kLongBytes = std::size_t{64} << 10;
  static constexpr std::size_t kLongBatch = 8;  // keys looked up in memory

  GilRelease() : outer_(std::exchange(latest_, this)), state_(PyEval_SaveThread()) {}
  ~GilRelease() {
    latest_ = outer_;
    restore();
  }
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

  // Has the handlers of signals run, where the calling thread is the one they run on and has let go
  // of the GIL. True when one of them has raised, now or before.
  [[nodiscard]] static bool interrupted() noexcept;

 private:
  void restore() noexcept {
    base::run_or_stop([this] { PyEval_RestoreThread(state_); });
  }

  static thread_local GilRelease* latest_;  // of this thread

  GilRelease* const outer_;  // a handler of a signal may make calls of its own
  PyThreadState* state_;
  bool raised_ = false;
};

// What `call`, which may run Python code, returns. A thread that finds the interpreter gone
// meanwhile stops here: see GilRelease.
template <class Call>
[[nodiscard]] PyObject* call_python(Call&& call) noexcept {
  PyObject* result = nullptr;
  base::run_or_stop([&] { result = call(); });
  return result;
}

}  // namespace vcache::bindings
