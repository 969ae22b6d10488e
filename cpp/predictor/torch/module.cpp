#include <pybind11/pybind11.h>

#include "predictor/torch/bindings.hpp"

PYBIND11_MODULE(_torch, module) {
  module.doc() = "TorchScript models for vcache, run by LibTorch; loaded on first use.";
  vcache::predictor::bind_scorer(module);
}
