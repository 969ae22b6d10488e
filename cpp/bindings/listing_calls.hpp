#pragma once

#include "bindings/core.hpp"

namespace vcache::bindings {

// What Python has of the keys that a cache holds. Keys are str where they are UTF-8, else bytes.

void bind_listing(py::class_<Core, std::shared_ptr<Core>>& cache);

}  // namespace vcache::bindings
