#pragma once

// First include of every file here: pybind11 and NumPy's C API, its table imported once.
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL vcache_numpy_api
#ifndef VCACHE_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif

#include <numpy/arrayobject.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace vcache::bindings {

namespace py = pybind11;

// Gives back a reference to a Python object.
struct PyDecref {
  void operator()(PyObject* object) const noexcept { Py_XDECREF(object); }
};
using PyOwned = std::unique_ptr<PyObject, PyDecref>;

// Marks that a Python exception is set.
struct PythonError {};

// Sets `vcache.errors.<name>` (or the built-in exception of that name) with `message`.
void set_error(const char* name, const std::string& message);
// As set_error, then throws PythonError.
[[noreturn]] void raise(const char* name, const std::string& message);
// Raises what the handler of a signal raised while the GIL was let go of.
inline void raise_pending() {
  if (PyErr_Occurred() != nullptr) throw PythonError();
}
// Raises RedisTimeout or RedisError.
[[noreturn]] void raise(const base::Error& error);
// Warns that changes by other processes are not told of. Throws PythonError where warnings are
// errors.
void warn_of_no_tracking();
// Short text of an object for messages: its repr, at most 80 characters.
[[nodiscard]] std::string shown(PyObject* object);

// Owns a new reference. Throws PythonError for nullptr, which says that an exception is set.
[[nodiscard]] inline py::object taken(PyObject* object) {
  if (object == nullptr) throw PythonError();
  return py::reinterpret_steal<py::object>(object);
}
// Requires: an array.
[[nodiscard]] inline PyArrayObject* as_array(const py::object& object) noexcept {
  return reinterpret_cast<PyArrayObject*>(object.ptr());
}

// The singletons: MISSING stands for "no value", DEFAULT for "the cache's own".
[[nodiscard]] PyObject* missing() noexcept;
[[nodiscard]] PyObject* use_default() noexcept;

void bind_errors(py::module_& module);
void bind_signals(py::module_& module);
void bind_singletons(py::module_& module);
void bind_codec(py::module_& module);
void bind_cache(py::module_& module);
void bind_cache_base(py::module_& module);
void bind_text_call(py::module_& module);
void bind_query(py::module_& module);
void bind_sim(py::module_& module);
void bind_torch(py::module_& module);
void bind_learning(py::module_& module);
void bind_vectors(py::module_& module);
void bind_similar(py::module_& module);

}  // namespace vcache::bindings
