#include "predictor/torch/torch_scorer.hpp"

#include <ATen/ATen.h>
#include <caffe2/serialize/in_memory_adapter.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "predictor/torch/archive.hpp"
#include "predictor/torch/caught.hpp"
#include "predictor/torch/graph_check.hpp"
#include "predictor/torch/one_thread.hpp"

namespace vcache::predictor {

namespace {

using base::Error;

constexpr int kWarmUpRuns = 3;  // the executor measures in the first, compiles in the second

std::string shape_of(const at::Tensor& tensor) {
  std::string text = "(";
  for (const std::int64_t extent : tensor.sizes()) text += std::to_string(extent) + ",";
  return text + ")";
}

// What the module says of its inputs, if anything.
std::optional<std::int64_t> stated_inputs(const torch::jit::Module& module) {
  if (module.hasattr("inputs") && module.attr("inputs").isInt()) {
    const std::int64_t inputs = module.attr("inputs").toInt();
    if (inputs > 0) return inputs;
  }
  for (const at::Tensor& weights : module.parameters()) {
    if (weights.dim() == 2) return weights.size(1);
  }
  return std::nullopt;
}

base::Result<std::size_t> inputs_of(const torch::jit::Module& module) {
  const auto inputs = stated_inputs(module);
  if (!inputs) return invalid("model does not say how many inputs it has: no int 'inputs'");
  if (std::cmp_less_equal(*inputs, kMaxInputs)) return static_cast<std::size_t>(*inputs);
  return invalid("model has inputs=" + std::to_string(*inputs) + ": allowed are at most " +
                 std::to_string(kMaxInputs));
}

// Whether what `forward` would run is allowed; before any of it runs.
Error check_forward(const torch::jit::Module& module) {
  const auto forward = module.find_method("forward");
  if (!forward) return invalid("model has no method 'forward'");
  const auto graph = forward->graph()->copy();
  torch::jit::Inline(*graph);
  return check_operators(*graph);
}

base::Result<torch::jit::Module> load_checked(std::string_view bytes) {
  Error refused = check_archive(bytes);
  if (!refused.ok()) return refused;
  auto reader = std::make_shared<caffe2::serialize::MemoryReadAdapter>(
      bytes.data(), static_cast<off_t>(bytes.size()));
  torch::jit::Module module = torch::jit::load(std::move(reader), at::Device(at::kCPU), false);
  refused = check_forward(module);
  if (!refused.ok()) return refused;
  module.eval();
  return module;
}

// Frozen with its operators checked. The passes over numerics are left out: they would change the
// last bits of what the module computes.
base::Result<torch::jit::Method> frozen_forward(const torch::jit::Module& module) {
  const torch::jit::Module frozen = torch::jit::freeze(module, std::nullopt, false);
  torch::jit::Method forward = frozen.get_method("forward");
  Error refused = check_operators(*forward.graph());
  if (refused.ok()) refused = check_purity(*forward.graph());
  if (!refused.ok()) return refused;
  return forward;
}

Error check_scores(const at::Tensor& scores, std::size_t rows, std::size_t outputs) {
  const bool shaped = scores.dim() >= 1 && (scores.dim() == 2 || outputs == 1) &&
                      std::cmp_equal(scores.size(0), rows) &&
                      std::cmp_equal(scores.numel(), rows * outputs);
  if (!shaped) {
    return invalid("model gives shape " + shape_of(scores) + " for " + std::to_string(rows) +
                   " rows of " + std::to_string(outputs));
  }
  if (scores.scalar_type() == at::kFloat && scores.is_cpu()) return {};
  return invalid(std::string("model gives ") + c10::toString(scores.scalar_type()) +
                 ", expected Float on the CPU");
}

Error check_finite(std::span<const float> scores, std::size_t outputs) {
  const auto wrong =
      std::ranges::find_if(scores, [](float score) { return !std::isfinite(score); });
  if (wrong == scores.end()) return {};
  const std::size_t row = static_cast<std::size_t>(wrong - scores.begin()) / outputs;
  return invalid("model scores row " + std::to_string(row) + " as " + std::to_string(*wrong));
}

class TorchScorer final : public Predictor {
 public:
  TorchScorer(torch::jit::Method forward, std::size_t inputs, std::size_t batch_size)
      : forward_(std::move(forward)), inputs_(inputs), batch_size_(batch_size) {}

  // Finds the number of outputs. To be called once, before the scorer is shared.
  Error warm_up();

  [[nodiscard]] std::size_t inputs() const noexcept override { return inputs_; }
  [[nodiscard]] std::size_t outputs() const noexcept override { return outputs_; }
  Error score(std::span<const float> features, std::size_t rows,
              std::span<float> out) const noexcept override;

 private:
  [[nodiscard]] at::Tensor run(const float* features, std::size_t rows) const;
  Error score_batch(const float* features, std::size_t rows, float* out) const;

  // Constant after warm_up(). Running a method from several threads at once is safe.
  torch::jit::Method forward_;
  std::size_t inputs_;
  std::size_t outputs_ = 0;
  std::size_t batch_size_;
};

Error TorchScorer::score(std::span<const float> features, std::size_t rows,
                         std::span<float> out) const noexcept {
  return caught("model failed: ", [&]() -> Error {
    const OneThread one_thread;
    for (std::size_t row = 0; row < rows; row += batch_size_) {
      const std::size_t count = std::min(batch_size_, rows - row);
      Error failed =
          score_batch(features.data() + row * inputs_, count, out.data() + row * outputs_);
      if (!failed.ok()) return failed;
    }
    return check_finite(out, outputs_);
  });
}

Error TorchScorer::warm_up() {
  const std::vector<float> zeros(inputs_ * batch_size_, 0.0F);
  const at::Tensor scores = run(zeros.data(), 1);
  if (scores.dim() < 1 || scores.dim() > 2 || scores.size(0) != 1 || scores.numel() < 1) {
    return invalid("model gives shape " + shape_of(scores) +
                   " for one row, expected (1,) or (1,k)");
  }
  outputs_ = static_cast<std::size_t>(scores.numel());
  std::vector<float> out(batch_size_ * outputs_);
  Error failed;
  for (int i = 0; i < kWarmUpRuns && failed.ok(); ++i) {
    failed = score_batch(zeros.data(), batch_size_, out.data());
  }
  return failed;
}

// The tensor borrows the features: a model that passed check_purity() writes into no tensor.
at::Tensor TorchScorer::run(const float* features, std::size_t rows) const {
  const c10::InferenceMode no_gradients;
  const std::array<std::int64_t, 2> shape = {static_cast<std::int64_t>(rows),
                                             static_cast<std::int64_t>(inputs_)};
  auto* borrowed = const_cast<float*>(features);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  const c10::IValue result = forward_({at::from_blob(borrowed, shape, at::kFloat)});
  TORCH_CHECK(result.isTensor(), "it gives a ", result.tagKind(), ", expected a tensor");
  return result.toTensor().contiguous();
}

Error TorchScorer::score_batch(const float* features, std::size_t rows, float* out) const {
  const at::Tensor scores = run(features, rows);
  Error wrong = check_scores(scores, rows, outputs_);
  if (wrong.ok()) std::memcpy(out, scores.const_data_ptr<float>(), scores.nbytes());
  return wrong;
}

}  // namespace

base::Result<std::unique_ptr<Predictor>> load_torch_scorer(std::string_view bytes,
                                                           std::size_t batch_size) {
  using Loaded = base::Result<std::unique_ptr<Predictor>>;
  if (batch_size < 1 || batch_size > kMaxBatch) {
    return invalid("batch_size=" + std::to_string(batch_size) + ": allowed is 1 to " +
                   std::to_string(kMaxBatch));
  }
  return caught("model cannot be loaded: ", [&]() -> Loaded {
    const OneThread one_thread;
    const auto module = load_checked(bytes);
    if (!module.ok()) return module.error();
    const auto inputs = inputs_of(module.value());
    if (!inputs.ok()) return inputs.error();
    auto forward = frozen_forward(module.value());
    if (!forward.ok()) return forward.error();
    auto scorer =
        std::make_unique<TorchScorer>(std::move(forward).value(), inputs.value(), batch_size);
    Error failed = scorer->warm_up();
    if (!failed.ok()) return failed;
    return std::unique_ptr<Predictor>(std::move(scorer));
  });
}

}  // namespace vcache::predictor
