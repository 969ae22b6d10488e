# System libraries, each an imported target, each with the name of the package that is missing.
find_package(Threads REQUIRED)

# Stops with the package to install when `variable` holds no path.
function(vcache_require variable what package)
  if(NOT ${variable})
    message(FATAL_ERROR "${what} is missing. On Debian or Ubuntu: apt-get install ${package}")
  endif()
endfunction()

find_path(VCACHE_XXHASH_INCLUDE xxhash.h)
vcache_require(VCACHE_XXHASH_INCLUDE "xxHash" libxxhash-dev)
add_library(xxhash::xxhash INTERFACE IMPORTED)
target_include_directories(xxhash::xxhash INTERFACE "${VCACHE_XXHASH_INCLUDE}")
# Header only: short keys hash faster inlined, and the wheel needs no libxxhash. clang-tidy is to
# look at our code, not at its.
if(CMAKE_CXX_CLANG_TIDY)
  target_compile_definitions(xxhash::xxhash INTERFACE XXH_STATIC_LINKING_ONLY)
else()
  target_compile_definitions(xxhash::xxhash INTERFACE XXH_INLINE_ALL)
endif()

# The static archive where there is one, so that the wheel needs no libzstd.
find_path(VCACHE_ZSTD_INCLUDE zstd.h)
find_library(VCACHE_ZSTD_LIBRARY NAMES libzstd.a zstd)
vcache_require(VCACHE_ZSTD_INCLUDE "zstd" libzstd-dev)
vcache_require(VCACHE_ZSTD_LIBRARY "zstd" libzstd-dev)
add_library(zstd::zstd UNKNOWN IMPORTED)
set_target_properties(zstd::zstd PROPERTIES IMPORTED_LOCATION "${VCACHE_ZSTD_LIBRARY}"
                                            INTERFACE_INCLUDE_DIRECTORIES "${VCACHE_ZSTD_INCLUDE}")

find_package(OpenSSL 3.0)
vcache_require(OPENSSL_FOUND "OpenSSL >= 3.0" libssl-dev)

find_path(VCACHE_XTENSOR_INCLUDE NAMES xtensor/xtensor.hpp xtensor/containers/xtensor.hpp)
find_path(VCACHE_XTL_INCLUDE xtl/xtl_config.hpp)
vcache_require(VCACHE_XTENSOR_INCLUDE "xtensor" "libxtensor-dev (older: xtensor-dev)")
vcache_require(VCACHE_XTL_INCLUDE "xtl" xtl-dev)
add_library(xtensor::xtensor INTERFACE IMPORTED)
target_include_directories(xtensor::xtensor SYSTEM INTERFACE "${VCACHE_XTENSOR_INCLUDE}"
                                                             "${VCACHE_XTL_INCLUDE}")

# Code of these ends up in the modules, so their licences go into the wheel.
if(SKBUILD)
  foreach(package libxxhash-dev libzstd-dev libxtensor-dev xtensor-dev xtl-dev)
    install(FILES "/usr/share/doc/${package}/copyright" COMPONENT python OPTIONAL
            DESTINATION "${SKBUILD_METADATA_DIR}/licenses/${package}")
  endforeach()
endif()
