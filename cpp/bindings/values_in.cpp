#include <array>
#include <limits>

#include "bindings/codec.hpp"
#include "bindings/values.hpp"

namespace vcache::bindings {

namespace {

using base::DType;

constexpr std::array<std::string_view, base::kLastDType + 1> kDTypeNames = {
    "", "float32", "float16", "float64", "int8", "uint8", "int32", "int64"};
constexpr std::array<int, base::kLastDType + 1> kTypeNumbers = {
    NPY_NOTYPE, NPY_FLOAT32, NPY_FLOAT16, NPY_FLOAT64, NPY_INT8, NPY_UINT8, NPY_INT32, NPY_INT64};

DType dtype_of(PyArrayObject* array) noexcept {
  const char kind = PyArray_DESCR(array)->kind;
  const auto size = static_cast<std::size_t>(PyArray_ITEMSIZE(array));
  for (std::uint8_t i = 1; i <= base::kLastDType; ++i) {
    const char wanted = kDTypeNames[i][0];  // f, i or u, as NumPy's kinds
    if (kind == wanted && size == base::item_size(static_cast<DType>(i))) {
      return static_cast<DType>(i);
    }
  }
  return DType::kNone;
}

void refuse_masked(PyArrayObject* array, const char* name) {
  auto* object = reinterpret_cast<PyObject*>(array);
  if (PyArray_CheckExact(array) || !PyObject_HasAttrString(object, "_mask")) return;
  raise("TypeError",
        std::string(name) + " is a masked array: allowed are plain arrays (fill it first)");
}

[[noreturn]] void refuse_shape(PyArrayObject* array, const char* name, const char* allowed) {
  const PyOwned shape(PyObject_GetAttrString(reinterpret_cast<PyObject*>(array), "shape"));
  raise("ValueError", std::string(name) + " of shape " + shown(shape.get()) + ": " + allowed);
}

base::Shape shape_of(PyArrayObject* array, const char* name) {
  const int ndim = PyArray_NDIM(array);
  if (ndim > static_cast<int>(base::kMaxNdim)) {
    refuse_shape(array, name, "allowed are 0 to 4 dimensions");
  }
  base::Shape shape{.ndim = static_cast<std::uint8_t>(ndim)};
  for (int i = 0; i < ndim; ++i) {
    const npy_intp extent = PyArray_DIM(array, i);
    if (extent < 1 || extent > std::numeric_limits<std::uint32_t>::max()) {
      refuse_shape(array, name, "allowed are 1 or more elements in each dimension");
    }
    shape.dims[static_cast<std::size_t>(i)] = static_cast<std::uint32_t>(extent);
  }
  return shape;
}

void check_size(std::size_t bytes, std::size_t max_bytes, const char* name) {
  if (bytes <= max_bytes) return;
  raise("ValueError", std::string(name) + " of " + std::to_string(bytes) +
                          " bytes: allowed are at most max_value=" + std::to_string(max_bytes));
}

bool has_array_interface(PyObject* value) noexcept {
  return PyType_Check(value) == 0 && PyObject_HasAttrString(value, "__array__") != 0;
}

ValueArgument foreign_array(PyObject* value, std::size_t max_bytes) {
  const PyOwned array(PyArray_FromAny(value, nullptr, 0, 0, 0, nullptr));
  if (!array) {
    PyErr_Clear();
    raise("SerializationError", std::string("value of type ") + Py_TYPE(value)->tp_name +
                                    ": its __array__ gave no array");
  }
  return vector_argument(reinterpret_cast<PyArrayObject*>(array.get()), "value", max_bytes);
}

bool is_scalar_array(PyObject* value) noexcept { return PyArray_IsScalar(value, Generic); }

}  // namespace

std::optional<DType> dtype_named(std::string_view name) noexcept {
  for (std::uint8_t i = 1; i <= base::kLastDType; ++i) {
    if (kDTypeNames[i] == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::string dtype_names() {
  std::string names;
  for (std::uint8_t i = 1; i <= base::kLastDType; ++i) {
    names += (i == 1 ? "" : ", ") + std::string(kDTypeNames[i]);
  }
  return names;
}

PyArray_Descr* descr_of(DType dtype) noexcept {
  static const auto descrs = [] {
    std::array<PyArray_Descr*, base::kLastDType + 1> all{};
    for (std::size_t i = 1; i < all.size(); ++i) all[i] = PyArray_DescrFromType(kTypeNumbers[i]);
    return all;
  }();
  return descrs[static_cast<std::size_t>(dtype)];
}

ValueArgument vector_argument(PyArrayObject* array, const char* name, std::size_t max_bytes) {
  refuse_masked(array, name);
  const DType dtype = dtype_of(array);
  if (dtype == DType::kNone) {
    auto* descr = reinterpret_cast<PyObject*>(PyArray_DESCR(array));
    raise("SerializationError",
          std::string(name) + " of " + shown(descr) + ": allowed dtypes are " + dtype_names());
  }
  const base::Shape shape = shape_of(array, name);
  const auto bytes = static_cast<std::size_t>(PyArray_NBYTES(array));
  check_size(bytes, max_bytes, name);
  PyOwned owner(Py_NewRef(reinterpret_cast<PyObject*>(array)));
  if (!PyArray_ISCARRAY_RO(array)) {
    Py_INCREF(descr_of(dtype));
    owner.reset(
        PyArray_FromArray(array, descr_of(dtype), NPY_ARRAY_CARRAY_RO | NPY_ARRAY_ENSUREARRAY));
    if (!owner) throw PythonError();
  }
  const void* data = PyArray_DATA(reinterpret_cast<PyArrayObject*>(owner.get()));
  return {.view = {.kind = base::ValueKind::kVector,
                   .dtype = dtype,
                   .shape = shape,
                   .payload = {static_cast<const std::byte*>(data), bytes}},
          .owner = std::move(owner)};
}

ValueArgument value_argument(PyObject* value, std::size_t max_bytes) {
  if (PyArray_Check(value)) {
    return vector_argument(reinterpret_cast<PyArrayObject*>(value), "value", max_bytes);
  }
  if (has_array_interface(value) && !is_scalar_array(value)) return foreign_array(value, max_bytes);
  check_object(value);
  PyOwned bytes = encode_object(value);
  const auto size = static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.get()));
  check_size(size, max_bytes, "value");
  const auto* data = reinterpret_cast<const std::byte*>(PyBytes_AS_STRING(bytes.get()));
  return {.view = {.kind = base::ValueKind::kObject, .payload = {data, size}},
          .owner = std::move(bytes)};
}

}  // namespace vcache::bindings
