#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "bindings/python.hpp"
#include "predictor/mlp.hpp"

namespace vcache::bindings {

// What a Python Model is in the core.
struct Model {
  explicit Model(const py::bytes& data) {
    auto read = predictor::Mlp::from_file(std::string_view(data));
    if (!read.ok()) raise("ModelError", read.error().detail);
    mlp = std::move(read).value();
  }

  std::shared_ptr<const predictor::Mlp> mlp;
};

}  // namespace vcache::bindings
