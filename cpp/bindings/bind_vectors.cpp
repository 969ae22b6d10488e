#include <vector>

#include "bindings/gil.hpp"
#include "bindings/key_writer.hpp"
#include "cache/vector_math.hpp"

namespace vcache::bindings {

namespace {

py::object c_array(const py::object& source, int type, int extra_flags) {
  return taken(PyArray_FromAny(source.ptr(), PyArray_DescrFromType(type), 0, 0,
                               NPY_ARRAY_CARRAY_RO | extra_flags, nullptr));
}

// An array of numbers; None, text, complex and ragged lists are refused before any cast.
py::object numeric_array(const py::object& values) {
  PyObject* array = PyArray_FromAny(values.ptr(), nullptr, 0, 0, 0, nullptr);
  if (array == nullptr) {
    PyErr_Clear();
    raise("ValueError", "vector=" + shown(values.ptr()) + ": allowed are numbers of one shape");
  }
  py::object out = taken(array);
  const char kind = PyArray_DESCR(as_array(out))->kind;
  if (kind == 'f' || kind == 'i' || kind == 'u') return out;
  raise("TypeError", "vector=" + shown(values.ptr()) + ": allowed are real numbers");
}

py::bytes bytes_of(const base::Digest128& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

py::bytes digest_vector(const py::object& values, std::optional<int> precision) {
  if (const auto quick = quick_digest(values.ptr(), precision)) return bytes_of(*quick);
  const py::object doubles = c_array(numeric_array(values), NPY_FLOAT64, 0);
  PyArrayObject* array = as_array(doubles);
  const npy_intp* dims = PyArray_DIMS(array);
  const std::vector<std::size_t> shape(dims, dims + PyArray_NDIM(array));
  const std::span<const double> data(static_cast<const double*>(PyArray_DATA(array)),
                                     static_cast<std::size_t>(PyArray_SIZE(array)));
  const auto digest = [&] {
    std::optional<GilRelease> released;
    if (data.size_bytes() > GilRelease::kLongBytes) released.emplace();
    return cache::digest_vector(data, shape, precision);
  }();
  if (!digest.ok()) raise("ValueError", "vector: " + digest.error().detail);
  return bytes_of(digest.value());
}

py::object normalize_rows(const py::object& matrix) {
  py::object out = c_array(numeric_array(matrix), NPY_FLOAT32,
                           NPY_ARRAY_ENSURECOPY | NPY_ARRAY_WRITEABLE | NPY_ARRAY_FORCECAST);
  PyArrayObject* array = as_array(out);
  if (PyArray_NDIM(array) != 2) {
    raise("ValueError",
          "matrix of " + std::to_string(PyArray_NDIM(array)) + " dimensions: allowed are 2");
  }
  const std::span<float> data(static_cast<float*>(PyArray_DATA(array)),
                              static_cast<std::size_t>(PyArray_SIZE(array)));
  const auto width = static_cast<std::size_t>(PyArray_DIM(array, 1));
  const GilRelease released;
  cache::normalize_rows(data, width);
  return out;
}

}  // namespace

void bind_vectors(py::module_& module) {
  module.def("digest_vector", &digest_vector, py::arg("values"), py::arg("precision").none(true),
             "16 bytes that identify a query vector by shape and values, whatever its dtype.");
  module.def("normalize_rows", &normalize_rows, py::arg("matrix"),
             "A float32 copy with each row scaled to length 1; rows of zeros stay.");
}

}  // namespace vcache::bindings
