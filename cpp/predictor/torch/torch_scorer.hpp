#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "predictor/predictor.hpp"

namespace vcache::predictor {

inline constexpr std::size_t kMaxBatch = 65'536;
inline constexpr std::size_t kMaxInputs = 65'536;

// The TorchScript module in `bytes`, frozen, on the CPU. Its archive is checked before it is
// loaded, its operators before they run, and its shapes by a run. It takes float32 of shape (n,
// inputs) and gives float32 of shape (n,) or (n, outputs). An int attribute `inputs` says how many
// inputs it has; else the width of its first matrix of weights. It scores in batches of
// `batch_size`, each on the calling thread alone and without gradients; the process' torch thread
// count stays as it is. score() gives an error where the module fails, gives another shape, or
// scores NaN or infinity.
[[nodiscard]] base::Result<std::unique_ptr<Predictor>> load_torch_scorer(std::string_view bytes,
                                                                         std::size_t batch_size);

}  // namespace vcache::predictor
