#define VCACHE_IMPORTS_NUMPY
#include "base/keeper.hpp"
#include "bindings/python.hpp"

namespace {

int import_numpy() {
  import_array1(-1);
  return 0;
}

}  // namespace

PYBIND11_MODULE(_core, module) {
  using namespace vcache::bindings;
  if (import_numpy() != 0) throw py::error_already_set();
  if (Py_AtExit(vcache::base::Keeper::stop_all) != 0) throw std::runtime_error("no place at exit");
  module.doc() = "The native core of vcache. Private: use the package.";
  module.attr("__version__") = VCACHE_VERSION;
  bind_errors(module);
  bind_signals(module);
  bind_singletons(module);
  bind_codec(module);
  bind_vectors(module);
  bind_similar(module);
  bind_sim(module);  // its Model is what a cache learns from
  bind_cache(module);
  bind_cache_base(module);
  bind_query(module);
  bind_text_call(module);
  bind_torch(module);
}
