#include "predictor/mlp.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

namespace vcache::predictor {

namespace {

using base::Error;
using base::ErrorCode;

constexpr std::string_view kMagic = "vcache-mlp-1\n";

static_assert(std::endian::native == std::endian::little);

template <class LayerOf>
void read_layer(LayerOf& layer, std::size_t outputs, const float*& from) {
  for (auto& row : layer.weights) {
    std::copy_n(from, outputs, row.begin());
    from += outputs;
  }
  std::copy_n(from, outputs, layer.biases.begin());
  from += outputs;
}

template <class LayerOf>
void write_layer(const LayerOf& layer, std::size_t outputs, float*& to) {
  for (const auto& row : layer.weights) to = std::copy_n(row.begin(), outputs, to);
  to = std::copy_n(layer.biases.begin(), outputs, to);
}

// As a layer's outputs before what bounds them.
template <class LayerOf, std::size_t kIn, std::size_t kOut>
void forward(const LayerOf& layer, const std::array<float, kIn>& in,
             std::array<float, kOut>& out) noexcept {
  out = layer.biases;
  for (std::size_t i = 0; i < kIn; ++i) {
    const auto& row = layer.weights[i];
    for (std::size_t j = 0; j < kOut; ++j) out[j] += in[i] * row[j];
  }
}

template <std::size_t kOut>
void rectify(std::array<float, kOut>& out) noexcept {
  for (float& value : out) value = std::max(value, 0.0F);
}

}  // namespace

base::Result<std::shared_ptr<const Mlp>> Mlp::from_weights(
    std::span<const float, kWeights> weights) {
  const auto* bad =
      std::ranges::find_if_not(weights, [](float w) { return std::isfinite(w); }).base();
  if (bad != weights.data() + weights.size()) {
    return Error{ErrorCode::kInvalid,
                 "weight " + std::to_string(bad - weights.data()) + " of the model is not finite"};
  }
  auto model = std::make_shared<Mlp>();
  const float* from = weights.data();
  read_layer(model->first_, kHidden, from);
  read_layer(model->second_, kHidden, from);
  read_layer(model->last_, kHeads, from);
  return std::shared_ptr<const Mlp>(std::move(model));
}

base::Result<std::shared_ptr<const Mlp>> Mlp::from_file(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) {
    return Error{ErrorCode::kInvalid, "not a file of weights: it does not begin with vcache-mlp-1"};
  }
  bytes.remove_prefix(kMagic.size());
  std::array<std::uint32_t, 3> dims{};
  constexpr std::array<std::uint32_t, 3> kDims = {kInputs, kHidden, kHeads};
  std::array<float, kWeights> weights{};
  if (bytes.size() != sizeof(dims) + sizeof(weights)) {
    return Error{ErrorCode::kInvalid,
                 "a file of weights has " +
                     std::to_string(kMagic.size() + sizeof(dims) + sizeof(weights)) +
                     " bytes, this one " + std::to_string(kMagic.size() + bytes.size())};
  }
  std::memcpy(dims.data(), bytes.data(), sizeof(dims));
  if (dims != kDims) {
    return Error{ErrorCode::kInvalid, "the file's model is for other inputs than this version's"};
  }
  std::memcpy(weights.data(), bytes.data() + sizeof(dims), sizeof(weights));
  return from_weights(weights);
}

std::string Mlp::file() const {
  constexpr std::array<std::uint32_t, 3> kDims = {kInputs, kHidden, kHeads};
  std::array<float, kWeights> all{};
  weights(all);
  std::string bytes(kMagic);
  bytes.append(reinterpret_cast<const char*>(kDims.data()), sizeof(kDims));
  bytes.append(reinterpret_cast<const char*>(all.data()), sizeof(all));
  return bytes;
}

void Mlp::weights(std::span<float, kWeights> out) const noexcept {
  float* to = out.data();
  write_layer(first_, kHidden, to);
  write_layer(second_, kHidden, to);
  write_layer(last_, kHeads, to);
}

base::Error Mlp::score(std::span<const float> features, std::size_t rows,
                       std::span<float> out) const noexcept {
  std::array<float, kInputs> in;
  std::array<float, kHidden> a;
  std::array<float, kHidden> b;
  std::array<float, kPaddedHeads> heads;
  for (std::size_t row = 0; row < rows; ++row) {
    std::copy_n(&features[row * kInputs], kInputs, in.begin());
    forward(first_, in, a);
    rectify(a);
    forward(second_, a, b);
    rectify(b);
    forward(last_, b, heads);
    for (std::size_t j = 0; j < kHeads; ++j) {
      out[row * kHeads + j] = 1.0F / (1.0F + std::exp(-heads[j]));
    }
  }
  return {};
}

}  // namespace vcache::predictor
