#include <cmath>

#include "bindings/core.hpp"

namespace vcache::bindings {

namespace {

constexpr double kMaxTtlSeconds = 10.0 * 365 * 24 * 3600;
constexpr double kNanosPerSecond = 1e9;

}  // namespace

cache::Ttl ttl_argument(PyObject* value, const char* name, const cache::Ttl& otherwise) {
  if (value == use_default()) return otherwise;
  if (value == Py_None) return std::nullopt;
  const double seconds = PyFloat_AsDouble(value);
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    raise("TypeError", std::string(name) + "=" + shown(value) + ": allowed are seconds and None");
  }
  if (!(seconds > 0 && seconds <= kMaxTtlSeconds)) {
    raise("ValueError", std::string(name) + "=" + shown(value) +
                            ": allowed are more than 0 seconds and at most 10 years");
  }
  return base::Nanos(static_cast<base::Nanos::rep>(seconds * kNanosPerSecond));
}

}  // namespace vcache::bindings
