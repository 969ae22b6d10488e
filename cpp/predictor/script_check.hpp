#pragma once

#include <span>
#include <string>

#include "base/result.hpp"

namespace vcache::predictor {

// A file of the code folder of a TorchScript archive.
struct ScriptFile {
  std::string name{};
  std::string text{};
};

// Whether a model with this text may be loaded: `torch::jit::load` compiles it, and on the way runs
// every __setstate__ and every default of an argument. So before that, without LibTorch:
//   - no name of name_forbidden() stands anywhere;
//   - torch.NAME and ops.SPACE.NAME are allowed operators, and no class is a native one;
//   - what is called is an allowed operator or builtin, or something the text itself defines;
//   - defaults and annotated lines call nothing.
// The text cannot show everything (`x.name` may be an attribute or an operator): what a loaded
// model would run is checked again in its graph, before it runs.
[[nodiscard]] base::Error check_script(std::span<const ScriptFile> files);

}  // namespace vcache::predictor
