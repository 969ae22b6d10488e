#pragma once

#include <string_view>

namespace vcache::predictor {

// What a model may be made of. All of these compute a result from their arguments and do nothing
// else: no file, no process state, no randomness. (Those that end in `_` write into a tensor;
// models may contain them only where they never run.)

// Whether a graph may have a node of this kind, as in "aten::linear".
[[nodiscard]] bool operator_allowed(std::string_view kind) noexcept;

// Whether the text of a model may call this as a plain function, as in "int(x)".
[[nodiscard]] bool builtin_allowed(std::string_view name) noexcept;

// Whether the name may not stand in the text of a model at all: it runs code while a model is
// loaded, reaches files, or never ends.
[[nodiscard]] bool name_forbidden(std::string_view name) noexcept;

}  // namespace vcache::predictor
