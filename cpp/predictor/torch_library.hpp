#pragma once

#include <string>

#include "base/result.hpp"
#include "predictor/foreign_torch.hpp"

namespace vcache::predictor {

// LibTorch of the extension module at `path`, loaded where it is not the process' own yet; without
// Python, which may import the module before or after. An error says why there is none. Loading
// takes tenths of a second. Thread-safe.
[[nodiscard]] base::Result<ForeignTorch> load_torch(const std::string& path);

}  // namespace vcache::predictor
