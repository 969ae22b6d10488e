#include "bindings/keys.hpp"

namespace vcache::bindings {

namespace {

std::string_view utf8_of(PyObject* key) {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(key, &size);
  if (data == nullptr) {
    PyErr_Clear();
    raise("ValueError", "key=" + shown(key) + ": allowed is text that UTF-8 can encode");
  }
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

std::string_view key_view_checked(PyObject* key) {
  std::string_view view;
  if (PyUnicode_Check(key)) {
    view = utf8_of(key);
  } else if (PyBytes_Check(key)) {
    view = {PyBytes_AS_STRING(key), static_cast<std::size_t>(PyBytes_GET_SIZE(key))};
  } else {
    raise("TypeError", "key=" + shown(key) + " of type " + Py_TYPE(key)->tp_name +
                           ": allowed are str and bytes");
  }
  if (view.empty() || view.size() > base::kMaxKeyBytes) {
    raise("ValueError", "key=" + shown(key) + " of " + std::to_string(view.size()) +
                            " bytes: allowed are 1 to 1024 bytes");
  }
  return view;
}

KeyBatch::KeyBatch(PyObject* keys) {
  if (PyUnicode_Check(keys) || PyBytes_Check(keys)) {
    raise("TypeError", "keys=" + shown(keys) + ": allowed is a sequence of str or bytes");
  }
  tuple_.reset(PySequence_Tuple(keys));
  if (!tuple_) throw PythonError();
  const Py_ssize_t count = PyTuple_GET_SIZE(tuple_.get());
  views_.reserve(static_cast<std::size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    views_.push_back(key_view(PyTuple_GET_ITEM(tuple_.get(), i)));
  }
}

}  // namespace vcache::bindings
