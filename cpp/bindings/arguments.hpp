#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>

#include "bindings/core.hpp"

namespace vcache::bindings {

// The parameters of a vectorcall function, the positional ones first.
struct Signature {
  const char* function;
  std::span<const char* const> parameters;
  std::size_t positional;
  std::size_t required;
};

// Puts what a vectorcall function was given in the places of its parameters: borrowed; those not
// given stay nullptr. Requires: out.size() == call.parameters.size(), out all nullptr. Throws
// PythonError: TypeError.
void fit_arguments(const Signature& call, PyObject* const* args, Py_ssize_t count, PyObject* names,
                   std::span<PyObject*> out);

// What a Python TieredCache owns. Throws PythonError: TypeError.
[[nodiscard]] Core* core_argument(PyObject* object);

// More than 0 and at most 10 years, at least 1 ns; nothing for other numbers.
[[nodiscard]] std::optional<base::Nanos> lifetime_of(double seconds) noexcept;

// No fewer than that, and at least 0.
[[nodiscard]] inline base::Millis ceil_millis(double seconds) noexcept {
  return std::chrono::ceil<base::Millis>(std::chrono::duration<double>(std::max(seconds, 0.0)));
}

// A ttl argument: seconds, None (no expiry) or DEFAULT. Throws PythonError: TypeError, ValueError.
[[nodiscard]] cache::Ttl ttl_argument(PyObject* value, const char* name,
                                      const cache::Ttl& otherwise);
// Those of one write, the cache's own where they are DEFAULT. Throws PythonError, as
// ttl_argument().
[[nodiscard]] cache::Lifetimes lifetimes_of(const Core& core, const py::object& ttl,
                                            const py::object& memory_ttl);

}  // namespace vcache::bindings
