#pragma once

#include <string_view>

#include "base/result.hpp"

namespace vcache::predictor {

// Whether the TorchScript archive in `bytes` may be loaded, decided without loading it: it holds
// only the kinds of records that `torch.jit.save` writes, not too large, no native class, and text
// that passes check_script().
[[nodiscard]] base::Error check_archive(std::string_view bytes);

}  // namespace vcache::predictor
