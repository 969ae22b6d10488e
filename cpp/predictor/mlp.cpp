#include "predictor/mlp.hpp"

#include <algorithm>
#include <array>
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
  read_layer(model->layers_.first, kHidden, from);
  read_layer(model->layers_.second, kHidden, from);
  read_layer(model->layers_.last, kHeads, from);
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
  write_layer(layers_.first, kHidden, to);
  write_layer(layers_.second, kHidden, to);
  write_layer(layers_.last, kHeads, to);
}

base::Error Mlp::score(std::span<const float> features, std::size_t rows,
                       std::span<float> out) const noexcept {
  score_rows(layers_, features.data(), rows, out.data());
  return {};
}

}  // namespace vcache::predictor
