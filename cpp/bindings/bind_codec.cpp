#include "bindings/codec.hpp"
#include "bindings/gil.hpp"
#include "bindings/values.hpp"

namespace vcache::bindings {

namespace {

constexpr int kMaxDepth = 64;

PyObject* encoder = nullptr;
PyObject* decoder = nullptr;

[[noreturn]] void refuse(PyObject* value) {
  raise("SerializationError",
        "value holds " + shown(value) + " of type " + Py_TYPE(value)->tp_name +
            ": allowed are None, bool, int, float, str, bytes, list, tuple, dict and NumPy arrays");
}

bool is_plain_scalar(PyObject* value) noexcept {
  return value == Py_None || PyBool_Check(value) || PyLong_CheckExact(value) ||
         PyFloat_CheckExact(value) || PyUnicode_CheckExact(value) || PyBytes_CheckExact(value);
}

void check_items(PyObject* sequence, int depth) {
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence);
  for (Py_ssize_t i = 0; i < count; ++i) {
    check_object(PySequence_Fast_GET_ITEM(sequence, i), depth + 1);
  }
}

void check_pairs(PyObject* dict, int depth) {
  Py_ssize_t position = 0;
  PyObject* key = nullptr;
  PyObject* item = nullptr;
  while (PyDict_Next(dict, &position, &key, &item) != 0) {
    if (!is_plain_scalar(key)) refuse(key);
    check_object(item, depth + 1);
  }
}

}  // namespace

void check_object(PyObject* value, int depth) {
  if (is_plain_scalar(value)) return;
  if (depth >= kMaxDepth) {
    raise("SerializationError", "value is nested deeper than 64 levels: allowed are 64");
  }
  if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
    check_items(value, depth);
  } else if (PyDict_CheckExact(value)) {
    check_pairs(value, depth);
  } else if (PyArray_Check(value)) {
    (void)vector_argument(reinterpret_cast<PyArrayObject*>(value), "value", PTRDIFF_MAX);
  } else {
    refuse(value);
  }
}

PyOwned encode_object(PyObject* value) {
  PyOwned bytes(call_python([&] { return PyObject_CallOneArg(encoder, value); }));
  if (!bytes) throw PythonError();
  return bytes;
}

PyObject* decode_object(PyObject* payload) noexcept {
  return call_python([&] { return PyObject_CallOneArg(decoder, payload); });
}

void bind_codec(py::module_& module) {
  module.def(
      "set_object_codec",
      [](const py::function& encode, const py::function& decode) {
        Py_XSETREF(encoder, encode.inc_ref().ptr());
        Py_XSETREF(decoder, decode.inc_ref().ptr());
      },
      py::arg("encode"), py::arg("decode"),
      "Registers what turns an object into MessagePack bytes, and a memoryview back.");
}

}  // namespace vcache::bindings
