# The interpreter that fetches sources and that the extension modules are built for: the one of
# .venv in the checkout where there is one.
set(_venv_python "${CMAKE_CURRENT_SOURCE_DIR}/.venv/bin/python")
if(NOT DEFINED Python_EXECUTABLE AND NOT SKBUILD AND EXISTS "${_venv_python}")
  set(Python_EXECUTABLE "${_venv_python}")
endif()

if(NOT VCACHE_PYTHON)
  find_package(Python 3.11 REQUIRED COMPONENTS Interpreter)
  return()
endif()

find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module NumPy)
execute_process(
  COMMAND "${Python_EXECUTABLE}" -m pybind11 --cmakedir
  OUTPUT_VARIABLE pybind11_ROOT
  OUTPUT_STRIP_TRAILING_WHITESPACE
  ERROR_QUIET)
set(PYBIND11_FINDPYTHON ON)
find_package(pybind11 3.0 CONFIG)
if(NOT pybind11_FOUND)
  message(FATAL_ERROR "pybind11 >= 3.0 is missing: ${Python_EXECUTABLE} -m pip install 'pybind11>=3.0'")
endif()
