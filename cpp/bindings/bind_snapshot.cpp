#include <cerrno>

#include "bindings/gil.hpp"
#include "bindings/loading_calls.hpp"
#include "bindings/log.hpp"
#include "cache/snapshot/restore.hpp"
#include "cache/snapshot/save.hpp"
#include "l2/codec/packing.hpp"

namespace vcache::bindings {

namespace {

namespace snapshot = cache::snapshot;

std::string path_of(const py::bytes& path) { return std::string(std::string_view(path)); }

// An OSError of the system's, with the path, or a SnapshotError.
void require(const snapshot::Failure& failure, const py::bytes& path) {
  if (failure.error_number != 0) {
    errno = failure.error_number;
    const PyOwned text(PyUnicode_DecodeFSDefault(path_of(path).c_str()));
    if (text) PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, text.get());
    throw PythonError();
  }
  if (!failure.refusal.empty()) raise("SnapshotError", path_of(path) + ": " + failure.refusal);
}

py::dict save_snapshot(Core& core, const py::bytes& path, const l2::codec::Packing& packing) {
  snapshot::Saved saved;
  const std::string to = path_of(path);
  {
    const GilRelease released;
    saved = snapshot::save(core.cache, core.clock_in_use(), to, packing.keys);
  }
  raise_pending();
  require(saved.failure, path);
  py::dict report;
  report["entries"] = saved.entries;
  report["bytes"] = saved.bytes;
  report["gone"] = saved.gone;
  return report;
}

py::dict restore_snapshot(Core& core, const py::bytes& path, const l2::codec::Packing& packing,
                          bool keep_unconfirmed) {
  snapshot::Loaded loaded;
  const std::string from = path_of(path);
  {
    const GilRelease released;
    loaded =
        snapshot::restore(core.cache, core.clock_in_use(), from, packing.keys, keep_unconfirmed);
  }
  if (core.cache.redis().has_news()) log_news(core.cache.redis());
  raise_pending();
  require(loaded.failure, path);
  py::dict report;
  report["entries"] = loaded.entries;
  report["bytes"] = loaded.bytes;
  report["confirmed"] = loaded.confirmed;
  report["unverified"] = loaded.unverified;
  report["damage"] = loaded.damage;
  report["expired"] = loaded.expired;
  report["newer"] = loaded.newer;
  report["no_room"] = loaded.no_room;
  report["gone"] = loaded.gone;
  report["unconfirmed"] = loaded.unconfirmed;
  return report;
}

}  // namespace

void bind_snapshot(py::class_<Core, std::shared_ptr<Core>>& cache) {
  cache
      .def("save_snapshot", &save_snapshot, py::arg("path"), py::arg("packing"),
           "Writes memory to a file. As the next one raises OSError and SnapshotError.")
      .def("restore_snapshot", &restore_snapshot, py::arg("path"), py::arg("packing"),
           py::arg("keep_unconfirmed"));
}

}  // namespace vcache::bindings
