#include "predictor/torch_library.hpp"

#include <dlfcn.h>

#include "predictor/torch_table.hpp"

namespace vcache::predictor {

namespace {

base::Error why(const std::string& path) {
  const char* const text = dlerror();  // NOLINT(concurrency-mt-unsafe): of the calling thread
  return {.code = base::ErrorCode::kInvalid,
          .detail = "LibTorch cannot be loaded from " + path + ": " +
                    (text == nullptr ? "no reason given" : text)};
}

}  // namespace

// The library stays loaded: the table is part of it.
base::Result<ForeignTorch> load_torch(const std::string& path) {
  if (auto used = ForeignTorch::in_use()) return *used;
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return why(path);
  void* const symbol = dlsym(library, kTorchTableSymbol);
  if (symbol == nullptr) return why(path);
  const TorchTable* const table = reinterpret_cast<TorchTableOf>(symbol)();
  auto torch = ForeignTorch::over(*table);
  if (torch.ok()) torch.value().use();
  return torch;
}

}  // namespace vcache::predictor
