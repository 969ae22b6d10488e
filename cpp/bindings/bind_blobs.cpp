#include <chrono>

#include "bindings/arguments.hpp"
#include "bindings/gil.hpp"
#include "bindings/loading_calls.hpp"
#include "bindings/log.hpp"
#include "l2/blobs.hpp"

namespace vcache::bindings {

namespace {

// Raises what Redis answered, strict or not: what has no blob to go on with has to know.
template <class Call>
void ask(Core& core, const Call& call) {
  base::Error error;
  {
    const GilRelease released;
    error = call(core.cache.redis().blobs());
  }
  if (core.cache.redis().has_news()) log_news(core.cache.redis());
  raise_pending();
  if (!error.ok()) raise(error);
}

py::bytes read_blob(Core& core, const std::string& name, std::size_t most) {
  std::string bytes;
  ask(core, [&](l2::Blobs& blobs) { return blobs.read(name, most, bytes); });
  return {bytes};
}

void write_blob(Core& core, const std::string& name, const py::bytes& data, double seconds) {
  const std::string_view bytes = data;
  ask(core, [&](l2::Blobs& blobs) { return blobs.write(name, bytes, ceil_millis(seconds)); });
}

bool replace_blob(Core& core, const std::string& name, const py::bytes& expected,
                  const py::bytes& data, double seconds) {
  const std::string_view from = expected;
  const std::string_view to = data;
  bool replaced = false;
  ask(core, [&](l2::Blobs& blobs) {
    return blobs.replace(name, from, to, ceil_millis(seconds), replaced);
  });
  return replaced;
}

void erase_blob(Core& core, const std::string& name) {
  ask(core, [&](l2::Blobs& blobs) { return blobs.erase(name); });
}

}  // namespace

void bind_blobs(py::class_<Core, std::shared_ptr<Core>>& cache) {
  cache
      .def("read_blob", &read_blob, py::arg("name"), py::arg("most"),
           "The first bytes under NAMESPACE!name, empty if there are none. As the next three\n"
           "raises RedisError.")
      .def("write_blob", &write_blob, py::arg("name"), py::arg("data"), py::arg("seconds"))
      .def("replace_blob", &replace_blob, py::arg("name"), py::arg("expected"), py::arg("data"),
           py::arg("seconds"), "Writes if the bytes are the expected ones; whether it did.")
      .def("erase_blob", &erase_blob, py::arg("name"));
}

}  // namespace vcache::bindings
