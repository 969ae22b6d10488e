#pragma once

#include <optional>

#include "base/value.hpp"
#include "bindings/python.hpp"
#include "l1/entry.hpp"

namespace vcache::bindings {

// A Python value as bytes: a view, and the object that keeps them alive.
struct ValueArgument {
  base::ValueView view;
  PyOwned owner;
};

// dtype name ("float32", ...) to element type; none for others.
[[nodiscard]] std::optional<base::DType> dtype_named(std::string_view name) noexcept;
// The names of all element types, for messages.
[[nodiscard]] std::string dtype_names();
// Borrowed.
[[nodiscard]] PyArray_Descr* descr_of(base::DType dtype) noexcept;

// An array as it is, or as one native C-order copy of itself where its layout differs. `name` is
// the argument's, for messages. Throws PythonError: TypeError, ValueError.
[[nodiscard]] ValueArgument vector_argument(PyArrayObject* array, const char* name,
                                            std::size_t max_bytes);
// An array, or an object through the registered encoder. Throws PythonError: SerializationError,
// ValueError, TypeError.
[[nodiscard]] ValueArgument value_argument(PyObject* value, std::size_t max_bytes);

// Throws PythonError (SerializationError, naming the type) unless MessagePack can hold `value`.
void check_object(PyObject* value, int depth = 0);

// A read-only view of the entry's vector, or its object decoded anew; nullptr with an exception
// set when the decoder raised.
[[nodiscard]] PyObject* to_python(l1::EntryRef entry) noexcept;

}  // namespace vcache::bindings
