#pragma once

#include <memory>

#include "base/result.hpp"
#include "predictor/trainer.hpp"

namespace vcache::predictor {

// A trainer whose model is a TorchScript module, made in this process, that LibTorch fits: each
// call on the calling thread alone, whatever the process' torch thread count, which stays as it is.
// Its archive passes load_torch_scorer(). An error where an option or a weight is outside what is
// allowed.
[[nodiscard]] base::Result<std::unique_ptr<Trainer>> make_torch_trainer(
    const TrainerOptions& options, StartWeights start);

}  // namespace vcache::predictor
