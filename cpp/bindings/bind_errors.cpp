#include "bindings/python.hpp"

namespace vcache::bindings {

namespace {

constexpr Py_ssize_t kShownChars = 80;

PyOwned find_class(const char* name) {
  PyOwned errors(PyImport_ImportModule("vcache.errors"));
  if (!errors) return nullptr;
  if (PyObject_HasAttrString(errors.get(), name)) {
    return PyOwned(PyObject_GetAttrString(errors.get(), name));
  }
  return PyOwned(Py_XNewRef(PyDict_GetItemString(PyEval_GetBuiltins(), name)));
}

}  // namespace

void set_error(const char* name, const std::string& message) {
  const PyOwned type = find_class(name);
  // A server's text may be anything.
  const PyOwned text(PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()),
                                          "backslashreplace"));
  if (type && text) PyErr_SetObject(type.get(), text.get());
}

void raise(const char* name, const std::string& message) {
  set_error(name, message);
  throw PythonError();
}

void raise(const base::Error& error) {
  const bool timeout = error.code == base::ErrorCode::kTimeout;
  raise(timeout ? "RedisTimeout" : "RedisError",
        std::string(base::to_string(error.code)) + ": " + error.detail);
}

void warn_of_no_tracking() {
  const int failed = PyErr_WarnEx(
      PyExc_RuntimeWarning,
      "Redis refuses CLIENT TRACKING: what other processes change may be served from memory for up "
      "to 5 seconds. Allow the commands hello and client|tracking, or set tracking=False",
      1);
  if (failed != 0) throw PythonError();
}

std::string shown(PyObject* object) {
  const PyOwned text(PyObject_Repr(object));
  if (!text) {
    PyErr_Clear();
    return "<unprintable " + std::string(Py_TYPE(object)->tp_name) + ">";
  }
  const PyOwned cut(PyUnicode_Substring(text.get(), 0, kShownChars));
  const PyOwned bytes(PyUnicode_AsEncodedString(cut.get(), "utf-8", "backslashreplace"));
  std::string out(PyBytes_AS_STRING(bytes.get()));
  if (PyUnicode_GET_LENGTH(text.get()) > kShownChars) out += "...";
  return out;
}

void bind_errors(py::module_&) {
  py::register_local_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const PythonError&) {  // the exception is set already
    }
  });
}

}  // namespace vcache::bindings
