#include "predictor/torch/net.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace vcache::predictor {

namespace {

constexpr std::array<std::int64_t, kLayers + 1> kWidths = {kInputs, Mlp::kHidden, Mlp::kHidden,
                                                           kHeads};

}  // namespace

Net::Net(std::span<const float, Mlp::kWeights> weights) {
  const c10::InferenceMode no_inference(false);  // the parameters outlive it, in a module
  values_ = at::empty({Mlp::kWeights}, at::kFloat);
  gradients_ = at::zeros({Mlp::kWeights}, at::kFloat);
  std::memcpy(values_.mutable_data_ptr<float>(), weights.data(), weights.size_bytes());
  values_.mutable_grad() = gradients_;
  std::int64_t from = 0;
  for (std::size_t i = 0; i < kLayers; ++i) {
    const std::int64_t rows = kWidths[i] + 1;
    const std::int64_t size = rows * kWidths[i + 1];
    Layer& layer = layers_[i];
    layer.whole = values_.narrow(0, from, size).view({rows, kWidths[i + 1]});
    layer.transposed = layer.whole.narrow(0, 0, kWidths[i]).t();
    layer.gradients = gradients_.narrow(0, from, size).view({rows, kWidths[i + 1]});
    from += size;
  }
}

at::Tensor Net::weights(std::size_t layer) const {
  return layers_[layer].whole.narrow(0, 0, kWidths[layer]);
}

at::Tensor Net::biases(std::size_t layer) const {
  return layers_[layer].whole.select(0, kWidths[layer]);
}

Batch::Batch(std::size_t rows) : targets_(rows) {
  const c10::InferenceMode inference;
  const auto n = static_cast<std::int64_t>(rows);
  for (std::size_t i = 0; i < kLayers; ++i) {
    Layer& layer = layers_[i];
    layer.in = at::ones({n, kWidths[i] + 1}, at::kFloat);
    layer.in_values = layer.in.narrow(1, 0, kWidths[i]);
    layer.transposed = layer.in.t();
    if (i > 0) layer.gradients = at::empty({n, kWidths[i]}, at::kFloat);
  }
  logits_ = at::empty({n, kWidths[kLayers]}, at::kFloat);
  logit_gradients_ = at::empty({n, kWidths[kLayers]}, at::kFloat);
}

void Batch::gather(std::span<const float> features, std::span<const Target> targets,
                   std::span<const std::uint32_t> which) noexcept {
  auto* row = layers_[0].in.mutable_data_ptr<float>();
  for (std::size_t i = 0; i < which.size(); ++i, row += kInputs + 1) {
    std::copy_n(&features[which[i] * kInputs], kInputs, row);
    targets_[i] = targets[which[i]];
  }
}

at::Tensor& Batch::out(std::size_t layer) noexcept {
  return layer + 1 < kLayers ? layers_[layer + 1].in_values : logits_;
}

void Batch::forward(const Net& net) {
  const c10::InferenceMode inference;
  for (std::size_t i = 0; i < kLayers; ++i) {
    at::mm_out(out(i), layers_[i].in, net.layers_[i].whole);
    if (i + 1 < kLayers) at::relu_(layers_[i + 1].in);  // which leaves the ones as they are
  }
}

double Batch::loss() const noexcept {
  const auto* logits = logits_.const_data_ptr<float>();
  double sum = 0;
  for (const Target& target : targets_) {
    const double logit = logits[target.head];
    const double entropy =
        std::max(logit, 0.0) - logit * target.label + std::log1p(std::exp(-std::abs(logit)));
    sum += target.weight * entropy;
    logits += kHeads;
  }
  return sum;
}

void Batch::backward(Net& net, float scale) {
  const c10::InferenceMode inference;
  const auto* logits = logits_.const_data_ptr<float>();
  auto* gradients = logit_gradients_.mutable_data_ptr<float>();
  std::fill_n(gradients, targets_.size() * kHeads, 0.0F);
  for (const Target& target : targets_) {
    const float probability = 1.0F / (1.0F + std::exp(-logits[target.head]));
    gradients[target.head] = scale * target.weight * (probability - target.label);
    logits += kHeads;
    gradients += kHeads;
  }
  for (std::size_t i = kLayers; i-- > 0;) {
    Layer& layer = layers_[i];
    const at::Tensor& out_gradients = i + 1 < kLayers ? layers_[i + 1].gradients : logit_gradients_;
    at::mm_out(net.layers_[i].gradients, layer.transposed, out_gradients);
    if (i == 0) break;
    at::mm_out(layer.gradients, out_gradients, net.layers_[i].transposed);
    at::threshold_backward_out(layer.gradients, layer.gradients, layer.in_values, 0);
  }
}

}  // namespace vcache::predictor
