#pragma once

#include "base/value.hpp"
#include "bindings/python.hpp"

namespace vcache::bindings {

// The MessagePack codec that the Python layer registered.

// bytes of an object that check_object() passed. Throws PythonError: SerializationError.
[[nodiscard]] PyOwned encode_object(PyObject* value);
// A new object from a memoryview; nullptr with an exception set.
[[nodiscard]] PyObject* decode_object(PyObject* payload) noexcept;

}  // namespace vcache::bindings
