#include "bindings/key_writer.hpp"

#include <charconv>
#include <cstring>
#include <span>

#include "cache/vector_math.hpp"

namespace vcache::bindings {

namespace {

constexpr char kEnd = '\x1f';  // of a text that others follow

std::optional<std::string_view> ascii_of(PyObject* text) noexcept {
  if (PyUnicode_IS_ASCII(text) == 0) return std::nullopt;
  return std::string_view(static_cast<const char*>(PyUnicode_DATA(text)),
                          static_cast<std::size_t>(PyUnicode_GET_LENGTH(text)));
}

template <class T>
std::optional<base::Digest128> digest_of(PyArrayObject* array, std::optional<int> precision) {
  return cache::digest_row(std::span(static_cast<const T*>(PyArray_DATA(array)),
                                     static_cast<std::size_t>(PyArray_SIZE(array))),
                           precision);
}

}  // namespace

std::optional<base::Digest128> quick_digest(PyObject* value,
                                            std::optional<int> precision) noexcept {
  if (!PyArray_CheckExact(value)) return std::nullopt;
  auto* array = reinterpret_cast<PyArrayObject*>(value);
  if (PyArray_NDIM(array) != 1 || !PyArray_ISCARRAY_RO(array)) return std::nullopt;
  if (PyArray_TYPE(array) == NPY_FLOAT32) return digest_of<float>(array, precision);
  if (PyArray_TYPE(array) == NPY_FLOAT64) return digest_of<double>(array, precision);
  return std::nullopt;
}

std::optional<std::string_view> utf8_of(PyObject* text) noexcept {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(text, &size);
  if (data == nullptr) {
    PyErr_Clear();
    return std::nullopt;
  }
  return std::string_view(data, static_cast<std::size_t>(size));
}

bool KeyWriter::text(std::string_view text) noexcept {
  if (text.size() > key_.size() - size_) return false;
  std::memcpy(key_.data() + size_, text.data(), text.size());
  size_ += text.size();
  return true;
}

bool KeyWriter::part(PyObject* value) noexcept {
  if (PyUnicode_CheckExact(value)) {
    const auto written = ascii_of(value);
    return written && written->find(kEnd) == std::string_view::npos && text("s") &&
           text(*written) && text({&kEnd, 1});
  }
  if (PyLong_CheckExact(value)) return number(value) && text(";");
  return vector(value);
}

bool KeyWriter::last(PyObject* value) noexcept {
  if (PyUnicode_CheckExact(value)) {
    const auto written = ascii_of(value);
    return written && text("s") && text(*written);
  }
  if (PyLong_CheckExact(value)) return number(value);
  return vector(value);
}

bool KeyWriter::number(PyObject* value) noexcept {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow != 0) return false;
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return text("i") && text({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

bool KeyWriter::vector(PyObject* value) noexcept {
  const auto digest = quick_digest(value, precision_);
  if (!digest) return false;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<char, 2 * sizeof(base::Digest128)> hex;
  for (std::size_t i = 0; i < digest->size(); ++i) {
    hex[2 * i] = kHex[(*digest)[i] >> 4];
    hex[2 * i + 1] = kHex[(*digest)[i] & 15];
  }
  return text("v") && text({hex.data(), hex.size()}) && text(";");
}

}  // namespace vcache::bindings
