#pragma once

#include "bindings/core.hpp"

namespace vcache::bindings {

// Methods of TieredCache for the loader, which computes what is missing. All may throw PythonError.

// As mget(): for each key MISSING or (value, age, seconds left or None, seconds it took).
// memory_only: misses are not counted.
py::list find_timed(Core& core, const py::object& keys, bool memory_only);
// For keys whose miss was counted: MISSING or (value, tier), where tier is None for what is fresh.
// stale: also values in their grace.
py::list find_again(Core& core, const py::object& keys, bool stale);
// What was counted as a miss got a stale value of `tier` after all.
void count_stale(Core& core, const py::object& key, const std::string& tier);

// Numbers for is_unwritten(); each key is to be unwatched once.
py::list watch_fills(Core& core, const py::object& keys);
bool is_unwritten(Core& core, const py::object& key, std::uint64_t writes);
void unwatch_fills(Core& core, const py::object& keys);
void unwatch_all(Core& core);

void bind_loading(py::class_<Core, std::shared_ptr<Core>>& cache);
void bind_leases(py::class_<Core, std::shared_ptr<Core>>& cache);
void bind_snapshot(py::class_<Core, std::shared_ptr<Core>>& cache);
void bind_reads(py::class_<Core, std::shared_ptr<Core>>& cache);
void bind_blobs(py::class_<Core, std::shared_ptr<Core>>& cache);

}  // namespace vcache::bindings
