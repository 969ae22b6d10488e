#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "predictor/features.hpp"
#include "predictor/mlp.hpp"
#include "predictor/target.hpp"

namespace vcache::predictor {

// What the module that links LibTorch does for one that does not: C functions over plain data, so
// that neither sees the other's C++ library, exceptions or memory. It travels in a Python capsule,
// whose name says the version as well. The functions may be called without the GIL and take it
// never; their rules for threads are those of Trainer and Predictor.

inline constexpr const char* kTorchTableName = "vcache._torch._table.1";
inline constexpr std::uint32_t kTorchTableVersion = 1;

// Takes what a function has to tell, before that returns. Called at most once by each.
struct ByteSink {
  void* to;
  void (*take)(void* to, const char* bytes, std::size_t size) noexcept;
};

// As TrainerOptions.
struct TorchTrainerOptions {
  std::uint64_t batch_size;
  double learning_rate;
  std::uint64_t seed;
};

// Where a function gives an ErrorCode, 0 is none; where it makes something, null is an error. The
// error's text goes to `error`.
struct TorchTable {
  std::uint32_t version = kTorchTableVersion;
  std::uint32_t size = sizeof(TorchTable);
  // The shape of the model that both sides mean.
  std::uint32_t inputs = kInputs;
  std::uint32_t heads = kHeads;
  std::uint32_t weight_count = Mlp::kWeights;

  // Null `start`: random weights.
  void* (*make_trainer)(const TorchTrainerOptions* options, const float* start,
                        ByteSink error) noexcept;
  void (*free_trainer)(void* trainer) noexcept;
  std::int32_t (*fit)(void* trainer, const float* features, const Target* targets,
                      std::size_t count, std::size_t passes, ByteSink error) noexcept;
  std::int32_t (*loss)(const void* trainer, const float* features, const Target* targets,
                       std::size_t count, double* loss, ByteSink error) noexcept;
  void (*weights)(const void* trainer, float* out) noexcept;
  std::int32_t (*archive)(const void* trainer, ByteSink bytes, ByteSink error) noexcept;

  // Says how many inputs and outputs the model has.
  void* (*load_scorer)(const char* bytes, std::size_t size, std::size_t batch_size,
                       std::size_t* inputs, std::size_t* outputs, ByteSink error) noexcept;
  void (*free_scorer)(void* scorer) noexcept;
  std::int32_t (*score)(const void* scorer, const float* features, std::size_t rows, float* out,
                        ByteSink error) noexcept;
};

// Where who loads the module without Python finds its table.
inline constexpr const char* kTorchTableSymbol = "vcache_torch_table";
using TorchTableOf = const TorchTable* (*)() noexcept;

static_assert(std::is_standard_layout_v<TorchTable> && std::is_trivially_copyable_v<TorchTable>);

}  // namespace vcache::predictor
