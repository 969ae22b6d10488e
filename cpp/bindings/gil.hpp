#pragma once

#include "base/last_stop.hpp"
#include "bindings/python.hpp"

namespace vcache::bindings {

// Lets other threads run Python while it lives. The rule: made where every Python object has become
// a C++ value and the work left may take over a microsecond, which are calls that may touch Redis,
// batches, and payloads over kLongBytes; no Python object is touched until its end. (To release and
// take back costs a tenth of a microsecond, and more where other threads want the GIL.)
//
// A thread that finds the interpreter gone at the end of its work stops there for ever, as Python
// 3.14 has it: older ones end the thread inside this destructor, which ends the process.
class GilRelease {
 public:
  static constexpr std::size_t kLongBytes = std::size_t{64} << 10;
  static constexpr std::size_t kLongBatch = 8;  // keys looked up in memory

  GilRelease() : state_(PyEval_SaveThread()) {}
  ~GilRelease() {
    base::run_or_stop([this] { PyEval_RestoreThread(state_); });
  }
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

 private:
  PyThreadState* state_;
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
