#include <pybind11/pybind11.h>

#include "predictor/torch/bindings.hpp"
#include "predictor/torch/table.hpp"

extern "C" [[gnu::visibility("default")]] const vcache::predictor::TorchTable*
vcache_torch_table() noexcept {
  return &vcache::predictor::torch_table();
}

PYBIND11_MODULE(_torch, module) {
  module.doc() = "TorchScript models for vcache, run by LibTorch; loaded on first use.";
  vcache::predictor::bind_scorer(module);
  module.attr("_table") =
      pybind11::capsule(&vcache::predictor::torch_table(), vcache::predictor::kTorchTableName);
}
