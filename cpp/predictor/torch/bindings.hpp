#pragma once

#include <pybind11/pybind11.h>

namespace vcache::predictor {

void bind_scorer(pybind11::module_& module);

}  // namespace vcache::predictor
