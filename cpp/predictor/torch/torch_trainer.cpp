#include "predictor/torch/torch_trainer.hpp"

#include <torch/csrc/jit/api/module.h>
#include <torch/optim/adam.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "predictor/torch/caught.hpp"
#include "predictor/torch/net.hpp"
#include "predictor/torch/one_thread.hpp"

namespace vcache::predictor {

namespace {

using base::Error;
using Weights = std::array<float, Mlp::kWeights>;

constexpr std::size_t kLossBatch = 256;

constexpr const char* kForward = R"(
def forward(self, features: Tensor) -> Tensor:
    x = torch.relu(torch.addmm(self.biases0, features, self.weights0))
    x = torch.relu(torch.addmm(self.biases1, x, self.weights1))
    return torch.sigmoid(torch.addmm(self.biases2, x, self.weights2))
)";

// SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  [[nodiscard]] std::uint32_t next() noexcept {
    std::uint64_t x = state_ += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return static_cast<std::uint32_t>((x ^ (x >> 31)) >> 32);
  }
  [[nodiscard]] std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>((std::uint64_t{next()} * bound) >> 32);
  }
  // Uniform from -bound to bound.
  [[nodiscard]] float within(float bound) noexcept {
    return (std::ldexp(static_cast<float>(next()), -31) - 1) * bound;
  }

 private:
  std::uint64_t state_;
};

// As torch.nn.Linear begins.
Weights random_weights(Random& random) noexcept {
  Weights weights;
  auto* out = weights.data();
  const auto fill = [&](std::size_t inputs, std::size_t outputs) {
    const float bound = 1 / std::sqrt(static_cast<float>(inputs));
    out = std::generate_n(out, (inputs + 1) * outputs, [&] { return random.within(bound); });
  };
  fill(kInputs, Mlp::kHidden);
  fill(Mlp::kHidden, Mlp::kHidden);
  fill(Mlp::kHidden, kHeads);
  return weights;
}

[[nodiscard]] bool all_finite(std::span<const float> values) noexcept {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

Error check_options(const TrainerOptions& options) {
  if (options.batch_size < 1 || options.batch_size > kMaxTrainingBatch) {
    return invalid("batch_size=" + std::to_string(options.batch_size) + ": allowed is 1 to " +
                   std::to_string(kMaxTrainingBatch));
  }
  if (options.learning_rate > 0 && options.learning_rate <= 1) return {};
  return invalid("learning_rate=" + std::to_string(options.learning_rate) +
                 ": allowed is over 0 and at most 1");
}

Error check_target(const Target& target, std::size_t row) {
  const auto wrong = [row](const char* name, const std::string& value, const char* allowed) {
    return invalid("example " + std::to_string(row) + " has " + name + " " + value +
                   ": allowed is " + allowed);
  };
  if (!(target.label >= 0 && target.label <= 1)) {
    return wrong("label", std::to_string(target.label), "0 to 1");
  }
  if (!(target.weight >= 0) || std::isinf(target.weight)) {
    return wrong("weight", std::to_string(target.weight), "a finite one of at least 0");
  }
  if (target.head < kHeads) return {};
  return wrong("head", std::to_string(target.head), "less than the model's heads");
}

// The sum of the examples' weights, once they are known to be fit to learn from.
base::Result<double> checked_weight(std::span<const float> features,
                                    std::span<const Target> targets) {
  if (targets.size() > std::numeric_limits<std::uint32_t>::max()) {
    return invalid(std::to_string(targets.size()) + " examples are too many");
  }
  double sum = 0;
  for (std::size_t row = 0; row < targets.size(); ++row) {
    if (!all_finite(features.subspan(row * kInputs, kInputs))) {
      return invalid("example " + std::to_string(row) + " has a feature that is not finite");
    }
    Error wrong = check_target(targets[row], row);
    if (!wrong.ok()) return wrong;
    sum += targets[row].weight;
  }
  if (sum > 0) return sum;
  return invalid("examples weigh nothing together");
}

// Its parameters are the net's memory.
torch::jit::Module make_module(const Net& net) {
  const c10::InferenceMode no_inference(false);
  torch::jit::Module module("vcache.Model");
  for (std::size_t i = 0; i < kLayers; ++i) {
    module.register_parameter("weights" + std::to_string(i), net.weights(i), false);
    module.register_parameter("biases" + std::to_string(i), net.biases(i), false);
  }
  module.register_attribute("inputs", c10::IntType::get(), std::int64_t{kInputs});
  module.define(kForward);
  return module;
}

class TorchTrainer final : public Trainer {
 public:
  TorchTrainer(const TrainerOptions& options, Random random, const Weights& weights)
      : options_(options), random_(random), net_(weights), module_(make_module(net_)) {
    forget();
  }

  Error fit(std::span<const float> features, std::span<const Target> targets,
            std::size_t passes) noexcept override;
  [[nodiscard]] base::Result<double> loss(std::span<const float> features,
                                          std::span<const Target> targets) const noexcept override;
  void weights(std::span<float, Mlp::kWeights> out) const noexcept override {
    std::memcpy(out.data(), net_.values().const_data_ptr<float>(), out.size_bytes());
  }
  [[nodiscard]] base::Result<std::string> archive() const noexcept override;

 private:
  struct Examples {
    std::span<const float> features;
    std::span<const Target> targets;
  };

  void forget();
  void shuffle(std::vector<std::uint32_t>& order) noexcept;
  void pass(const Examples& examples, std::span<const std::uint32_t> order, double mean_weight);
  void step(const Examples& examples, std::span<const std::uint32_t> which, double mean_weight);
  [[nodiscard]] Batch& batch_of(std::size_t rows);

  const TrainerOptions options_;
  Random random_;
  Net net_;
  torch::jit::Module module_;
  std::unique_ptr<torch::optim::Adam> adam_;
  std::unique_ptr<Batch> full_;  // of batch_size examples
  std::unique_ptr<Batch> rest_;  // of the last, fewer ones of a pass
};

// Adam's moments.
void TorchTrainer::forget() {
  const c10::InferenceMode inference;
  adam_ = std::make_unique<torch::optim::Adam>(std::vector<at::Tensor>{net_.values()},
                                               torch::optim::AdamOptions(options_.learning_rate));
}

void TorchTrainer::shuffle(std::vector<std::uint32_t>& order) noexcept {
  for (auto left = static_cast<std::uint32_t>(order.size()); left > 1; --left) {
    std::swap(order[left - 1], order[random_.below(left)]);
  }
}

Batch& TorchTrainer::batch_of(std::size_t rows) {
  auto& batch = rows == options_.batch_size ? full_ : rest_;
  if (!batch || batch->rows() != rows) batch = std::make_unique<Batch>(rows);
  return *batch;
}

void TorchTrainer::step(const Examples& examples, std::span<const std::uint32_t> which,
                        double mean_weight) {
  Batch& batch = batch_of(which.size());
  batch.gather(examples.features, examples.targets, which);
  batch.forward(net_);
  batch.backward(net_, static_cast<float>(1 / (mean_weight * static_cast<double>(which.size()))));
  const c10::InferenceMode inference;
  adam_->step();
}

void TorchTrainer::pass(const Examples& examples, std::span<const std::uint32_t> order,
                        double mean_weight) {
  for (; !order.empty(); order = order.subspan(std::min(options_.batch_size, order.size()))) {
    step(examples, order.first(std::min(options_.batch_size, order.size())), mean_weight);
  }
}

Error TorchTrainer::fit(std::span<const float> features, std::span<const Target> targets,
                        std::size_t passes) noexcept {
  Weights before;
  weights(before);
  Error failed = caught("model cannot be fitted: ", [&]() -> Error {
    const auto weight = checked_weight(features, targets);
    if (!weight.ok()) return weight.error();
    const double mean_weight = weight.value() / static_cast<double>(targets.size());
    const OneThread one_thread;
    std::vector<std::uint32_t> order(targets.size());
    std::iota(order.begin(), order.end(), 0U);
    for (std::size_t i = 0; i < passes; ++i) {
      shuffle(order);
      pass({.features = features, .targets = targets}, order, mean_weight);
    }
    Weights after;
    weights(after);
    return all_finite(after) ? Error{} : invalid("model has weights that are not finite");
  });
  if (failed.ok()) return failed;
  std::memcpy(net_.values().mutable_data_ptr<float>(), before.data(), sizeof(before));
  const Error forgotten = caught("", [this]() -> Error { return forget(), Error{}; });
  return forgotten.ok() ? failed : forgotten;
}

base::Result<double> TorchTrainer::loss(std::span<const float> features,
                                        std::span<const Target> targets) const noexcept {
  return caught("loss cannot be computed: ", [&]() -> base::Result<double> {
    auto weight = checked_weight(features, targets);
    if (!weight.ok()) return weight;
    const OneThread one_thread;
    std::vector<std::uint32_t> order(targets.size());
    std::iota(order.begin(), order.end(), 0U);
    std::unique_ptr<Batch> batch;
    double sum = 0;
    for (std::span<const std::uint32_t> left = order; !left.empty();) {
      const auto rows = std::min(kLossBatch, left.size());
      if (!batch || batch->rows() != rows) batch = std::make_unique<Batch>(rows);
      batch->gather(features, targets, left.first(rows));
      batch->forward(net_);
      sum += batch->loss();
      left = left.subspan(rows);
    }
    return sum / weight.value();
  });
}

base::Result<std::string> TorchTrainer::archive() const noexcept {
  return caught("model cannot be written: ", [&]() -> base::Result<std::string> {
    const OneThread one_thread;
    std::ostringstream out;
    module_.save(out);
    return std::move(out).str();
  });
}

}  // namespace

base::Result<std::unique_ptr<Trainer>> make_torch_trainer(const TrainerOptions& options,
                                                          StartWeights start) {
  using Made = base::Result<std::unique_ptr<Trainer>>;
  return caught("trainer cannot be made: ", [&]() -> Made {
    Error wrong = check_options(options);
    if (!wrong.ok()) return wrong;
    const OneThread one_thread;
    Random random(options.seed);
    Weights weights = random_weights(random);
    if (start) {
      if (!all_finite(*start)) return invalid("weights to start from are not finite");
      std::ranges::copy(*start, weights.begin());
    }
    return std::unique_ptr<Trainer>(std::make_unique<TorchTrainer>(options, random, weights));
  });
}

}  // namespace vcache::predictor
