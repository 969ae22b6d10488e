#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include "base/result.hpp"

namespace vcache::predictor {

// Whether every node of `graph`, whose calls are inlined, is an allowed operator.
[[nodiscard]] base::Error check_operators(const torch::jit::Graph& graph);

// What must hold of a frozen graph as well: it ends (no loop is left) and writes into no tensor, so
// neither into the caller's features nor into its own weights.
[[nodiscard]] base::Error check_purity(const torch::jit::Graph& graph);

}  // namespace vcache::predictor
