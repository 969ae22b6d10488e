#include <cstddef>

#include "bindings/access_calls.hpp"
#include "bindings/gil.hpp"
#include "l1/access/access_lines.hpp"

namespace vcache::bindings {

namespace {

l1::AccessLogOptions make_options(const py::bytes& path, std::uint64_t seed,
                                  std::size_t file_bytes) {
  return {.file = {.path = std::string(path), .most_bytes = file_bytes}, .seed = seed};
}

l1::AccessLog& log_of(Core& core) {
  l1::AccessLog* log = core.cache.access_log();
  if (log == nullptr) {
    raise("ConfigError",
          "access_log=None: look-ups are not recorded; allowed here is a cache made with"
          " access_log=PATH, or with VCACHE_ACCESS_LOG set");
  }
  return *log;
}

// As vcache._accesses reads it.
static_assert(offsetof(l1::Access, time) == 0 && offsetof(l1::Access, key) == 8 &&
              offsetof(l1::Access, size) == 16 && offsetof(l1::Access, cost) == 20 &&
              offsetof(l1::Access, group) == 28 && offsetof(l1::Access, tier) == 30 &&
              sizeof(l1::Access) == 32);

// By the numbers that accesses() tells.
py::list group_names(const Core& core) {
  py::list out;
  for (const std::string& name : core.cache.groups().names()) {
    if (py::len(out) == l1::GroupNames::kMost) break;
    out.append(name);
  }
  return out;
}

}  // namespace

py::tuple accesses(Core& core, std::size_t most) {
  l1::AccessLog& log = log_of(core);
  std::vector<l1::Access> newest;
  {
    const GilRelease released;
    newest = log.newest(most);
  }
  tell_of_log(core);
  const auto* bytes = reinterpret_cast<const char*>(newest.data());
  return py::make_tuple(py::bytes(bytes, newest.size() * sizeof(l1::Access)), group_names(core));
}

void close_access_log(Core& core) {
  l1::AccessLog* log = core.cache.access_log();
  if (log == nullptr) return;
  {
    const GilRelease released;
    log->close();
  }
  tell_of_log(core);
}

py::object access_counts(Core& core) {
  using py::literals::operator""_a;
  const l1::AccessLog* log = core.cache.access_log();
  if (log == nullptr) return py::none();
  const l1::AccessLog::Counts counts = log->counts();
  return py::dict("recorded"_a = counts.recorded, "dropped"_a = counts.dropped,
                  "errors"_a = counts.errors);
}

void bind_access_log_options(py::module_& module) {
  py::class_<l1::AccessLogOptions>(module, "AccessLogOptions", "Where look-ups are written to.")
      .def(py::init(&make_options), py::kw_only(), py::arg("path"), py::arg("seed"),
           py::arg("file_bytes"));
}

void bind_access_log(py::class_<Core, std::shared_ptr<Core>>& cache) {
  cache.def("accesses", &accesses, py::arg("most")).def("close_access_log", &close_access_log);
}

}  // namespace vcache::bindings
