# torch::torch: LibTorch of the torch package installed for the interpreter.
#
# Linked by path: TorchConfig.cmake would ask for the CUDA toolkit where that package is a CUDA one.
set(_torch_version 2.13)
execute_process(
  COMMAND "${Python_EXECUTABLE}" -c
          "import importlib.metadata as m, importlib.util as u
print(m.version('torch'), u.find_spec('torch').submodule_search_locations[0], sep=';')"
  OUTPUT_VARIABLE _torch
  OUTPUT_STRIP_TRAILING_WHITESPACE
  ERROR_QUIET)
if(NOT _torch MATCHES "^${_torch_version}\\.")
  message(FATAL_ERROR "torch ${_torch_version} is not installed for ${Python_EXECUTABLE} (found: "
                      "'${_torch}'). Install torch==${_torch_version}.0 or build without it: "
                      "VCACHE_TORCH=0, in CMake -DVCACHE_TORCH=OFF")
endif()
list(GET _torch 1 VCACHE_TORCH_FOLDER)

add_library(torch::torch INTERFACE IMPORTED GLOBAL)
target_include_directories(
  torch::torch SYSTEM INTERFACE "${VCACHE_TORCH_FOLDER}/include"
                                "${VCACHE_TORCH_FOLDER}/include/torch/csrc/api/include")
target_compile_definitions(torch::torch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
target_link_directories(torch::torch INTERFACE "${VCACHE_TORCH_FOLDER}/lib")
target_link_libraries(torch::torch INTERFACE torch torch_cpu c10)
