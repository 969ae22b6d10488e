#pragma once

#include "predictor/torch_table.hpp"

namespace vcache::predictor {

// This module's functions. Lives as long as the module is loaded.
[[nodiscard]] const TorchTable& torch_table() noexcept;

}  // namespace vcache::predictor
