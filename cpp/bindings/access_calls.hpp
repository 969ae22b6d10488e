#pragma once

#include "bindings/core.hpp"

namespace vcache::bindings {

// What Python has of the access log. All may throw PythonError: ConfigError where there is none.

// The newest look-ups, as the bytes of their l1::Access, and the names of their groups.
py::tuple accesses(Core& core, std::size_t most);
// Writes what is there to be written, and ends the thread. Does nothing where there is no log.
void close_access_log(Core& core);
// Counts for stats(); None where there is no log.
py::object access_counts(Core& core);

void bind_access_log_options(py::module_& module);
void bind_access_log(py::class_<Core, std::shared_ptr<Core>>& cache);

}  // namespace vcache::bindings
