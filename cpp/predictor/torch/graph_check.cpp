#include "predictor/torch/graph_check.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "predictor/operators.hpp"

namespace vcache::predictor {

namespace {

using base::Error;
using base::ErrorCode;

// The first node, blocks of nodes included, that `wrong` names a fault of.
template <class Wrong>
Error check_nodes(const torch::jit::Graph& graph, const Wrong& wrong) {
  std::vector<const torch::jit::Block*> left = {graph.block()};
  while (!left.empty()) {
    const torch::jit::Block* block = left.back();
    left.pop_back();
    for (const torch::jit::Node* node : block->nodes()) {
      const std::string_view fault = wrong(*node);
      if (!fault.empty()) {
        return {.code = ErrorCode::kInvalid,
                .detail = std::string("model uses '") + node->kind().toQualString() + "', which " +
                          std::string(fault)};
      }
      for (const torch::jit::Block* inner : node->blocks()) left.push_back(inner);
    }
  }
  return {};
}

}  // namespace

Error check_operators(const torch::jit::Graph& graph) {
  return check_nodes(graph, [](const torch::jit::Node& node) -> std::string_view {
    return operator_allowed(node.kind().toQualString()) ? "" : "is not an allowed operator";
  });
}

Error check_purity(const torch::jit::Graph& graph) {
  return check_nodes(graph, [](const torch::jit::Node& node) -> std::string_view {
    if (node.kind() == torch::jit::prim::Loop) return "may not end";
    const c10::FunctionSchema* schema = node.maybeSchema();
    return schema != nullptr && schema->is_mutable() ? "writes into a tensor or list" : "";
  });
}

}  // namespace vcache::predictor
