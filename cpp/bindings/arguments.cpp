#include "bindings/arguments.hpp"

#include <algorithm>
namespace vcache::bindings {

namespace {

constexpr double kMaxTtlSeconds = 10.0 * 365 * 24 * 3600;
constexpr double kNanosPerSecond = 1e9;

[[noreturn]] void refuse(const Signature& call, const std::string& problem) {
  raise("TypeError", std::string(call.function) + "() " + problem);
}

std::string quoted(const char* name) { return "'" + std::string(name) + "'"; }

// The place of the parameter of that name.
std::size_t place_of(const Signature& call, PyObject* name) {
  for (std::size_t i = 0; i < call.parameters.size(); ++i) {
    if (PyUnicode_CompareWithASCIIString(name, call.parameters[i]) == 0) return i;
  }
  refuse(call, "got an unexpected keyword argument " + shown(name));
}

}  // namespace

void fit_arguments(const Signature& call, PyObject* const* args, Py_ssize_t count, PyObject* names,
                   std::span<PyObject*> out) {
  const auto given = static_cast<std::size_t>(count);
  if (given > call.positional) {
    refuse(call, "takes at most " + std::to_string(call.positional) + " positional arguments, " +
                     std::to_string(given) + " were given");
  }
  std::copy_n(args, given, out.begin());
  const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  for (Py_ssize_t i = 0; i < named; ++i) {
    const std::size_t place = place_of(call, PyTuple_GET_ITEM(names, i));
    if (out[place] != nullptr) {
      refuse(call, "got multiple values for argument " + quoted(call.parameters[place]));
    }
    out[place] = args[count + i];
  }
  for (std::size_t i = 0; i < call.required; ++i) {
    if (out[i] == nullptr) refuse(call, "misses argument " + quoted(call.parameters[i]));
  }
}

Core* core_argument(PyObject* object) {
  Core* core = nullptr;
  try {
    core = py::handle(object).cast<Core*>();
  } catch (const py::cast_error&) {
    core = nullptr;
  }
  if (core == nullptr) raise("TypeError", "core=" + shown(object) + ": allowed is a TieredCache");
  return core;
}

std::optional<base::Nanos> lifetime_of(double seconds) noexcept {
  if (!(seconds > 0 && seconds <= kMaxTtlSeconds)) return std::nullopt;
  const auto nanos = static_cast<base::Nanos::rep>(seconds * kNanosPerSecond);
  return base::Nanos(std::max<base::Nanos::rep>(nanos, 1));
}

cache::Ttl ttl_argument(PyObject* value, const char* name, const cache::Ttl& otherwise) {
  if (value == use_default()) return otherwise;
  if (value == Py_None) return std::nullopt;
  const double seconds = PyFloat_AsDouble(value);
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    raise("TypeError", std::string(name) + "=" + shown(value) + ": allowed are seconds and None");
  }
  const std::optional<base::Nanos> lifetime = lifetime_of(seconds);
  if (!lifetime) {
    raise("ValueError", std::string(name) + "=" + shown(value) +
                            ": allowed are more than 0 seconds and at most 10 years");
  }
  return lifetime;
}

cache::Lifetimes lifetimes_of(const Core& core, const py::object& ttl,
                              const py::object& memory_ttl) {
  const auto& options = core.cache.options();
  return {.ttl = ttl_argument(ttl.ptr(), "ttl", options.ttl),
          .memory_ttl = ttl_argument(memory_ttl.ptr(), "memory_ttl", options.memory_ttl),
          .ttl_by_use = ttl.ptr() == use_default(),
          .memory_ttl_by_use = memory_ttl.ptr() == use_default()};
}

}  // namespace vcache::bindings
