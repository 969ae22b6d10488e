#include "bindings/arguments.hpp"
#include "bindings/gil.hpp"
#include "bindings/listing_calls.hpp"

namespace vcache::bindings {

namespace {

py::object key_object(std::string_view key) {
  const auto size = static_cast<Py_ssize_t>(key.size());
  PyObject* text = PyUnicode_DecodeUTF8(key.data(), size, nullptr);
  if (text != nullptr) return taken(text);
  if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError) == 0) throw PythonError();
  PyErr_Clear();
  return taken(PyBytes_FromStringAndSize(key.data(), size));
}

py::list hot_keys(Core& core, std::size_t n) {
  std::vector<l1::HotKey> hottest;
  {
    const GilRelease released;
    hottest = core.cache.memory().hot_keys(n);
  }
  py::list out(hottest.size());
  for (std::size_t i = 0; i < hottest.size(); ++i) {
    out[i] = py::make_tuple(key_object(hottest[i].key), hottest[i].hits);
  }
  return out;
}

}  // namespace

void bind_listing(py::class_<Core, std::shared_ptr<Core>>& cache) {
  cache.def("hot_keys", &hot_keys, py::arg("n"));
}

}  // namespace vcache::bindings
