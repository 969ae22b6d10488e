#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "bindings/gil.hpp"
#include "similar/flat_index.hpp"

namespace vcache::bindings {

namespace {

using similar::FlatIndex;

// The numbers of a vector where they lie.
std::span<const double> numbers(const FlatIndex& index, const py::object& vector) {
  PyArrayObject* array = as_array(vector);
  const bool is_array = PyArray_Check(vector.ptr()) && PyArray_TYPE(array) == NPY_FLOAT64 &&
                        PyArray_NDIM(array) == 1 && PyArray_ISCARRAY_RO(array);
  if (!is_array) {
    raise("TypeError", "vector=" + shown(vector.ptr()) + ": allowed is a 1-d float64 array");
  }
  const auto size = static_cast<std::size_t>(PyArray_SIZE(array));
  if (size != index.width()) {
    raise("ValueError", "vector of " + std::to_string(size) + " numbers: allowed are " +
                            std::to_string(index.width()));
  }
  return {static_cast<const double*>(PyArray_DATA(array)), size};
}

std::unique_ptr<FlatIndex> make(std::size_t width, std::size_t max_bytes) {
  if (width == 0) raise("ValueError", "width=0: allowed is at least 1");
  return std::make_unique<FlatIndex>(width, max_bytes);
}

std::optional<std::uint64_t> add(FlatIndex& index, const py::object& vector) {
  const auto values = numbers(index, vector);
  const GilRelease released;
  return index.add(values);
}

py::list nearest(const FlatIndex& index, const py::object& query, float at_least,
                 std::size_t most) {
  const auto values = numbers(index, query);
  const auto found = [&] {
    const GilRelease released;
    return index.nearest(values, at_least, most);
  }();
  raise_pending();
  py::list out;
  for (const similar::Neighbour& each : found) {
    out.append(py::make_tuple(each.id, each.similarity));
  }
  return out;
}

template <class T>
py::object array_of(const std::vector<T>& values, int type, npy_intp rows, npy_intp width) {
  const std::array<npy_intp, 2> shape{rows, width};
  const int dimensions = width == 0 ? 1 : 2;
  py::object out = taken(PyArray_SimpleNew(dimensions, shape.data(), type));
  std::ranges::copy(values, static_cast<T*>(PyArray_DATA(as_array(out))));
  return out;
}

py::tuple take_oldest(FlatIndex& index) {
  const similar::Rows rows = [&] {
    const GilRelease released;
    return index.take_oldest();
  }();
  raise_pending();
  const auto count = static_cast<npy_intp>(rows.ids.size());
  return py::make_tuple(
      array_of(rows.ids, NPY_UINT64, count, 0),
      array_of(rows.values, NPY_FLOAT32, count, static_cast<npy_intp>(index.width())));
}

}  // namespace

void bind_similar(py::module_& module) {
  py::class_<FlatIndex>(module, "FlatIndex",
                        "Vectors of one width, searched by looking at all. Thread-safe.")
      .def(py::init(&make), py::kw_only(), py::arg("width"), py::arg("max_bytes"))
      .def("add", &add, py::arg("vector"),
           "The id of a 1-d float64 array; None for zeros and what is not finite.")
      .def("remove", &FlatIndex::remove, py::arg("id"), "Whether it was there.")
      .def("nearest", &nearest, py::arg("vector"), py::kw_only(), py::arg("at_least"),
           py::arg("most"), "Ids and cosine similarities, the nearest first.")
      .def("take_oldest", &take_oldest, "Ids and unit vectors of the oldest block, which leaves.")
      .def("__len__", &FlatIndex::size)
      .def_property_readonly("oldest", &FlatIndex::oldest, "Ids below have left.")
      .def_property_readonly("memory_bytes", &FlatIndex::memory_bytes);
}

}  // namespace vcache::bindings
