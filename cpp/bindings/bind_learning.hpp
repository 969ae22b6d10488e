#pragma once

#include "bindings/core.hpp"

namespace vcache::bindings {

// Of stats(): None unless the policy is learned.
[[nodiscard]] py::object learning_of(Core& core);
// The methods of TieredCache that have to do with it.
void bind_learning_calls(py::class_<Core, std::shared_ptr<Core>>& cache);

}  // namespace vcache::bindings
