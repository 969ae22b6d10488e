# hiredis::hiredis, version 1.5 or later.
#
# Built from the C source inside PyPI's sdist hiredis==3.5.0, fetched by name and checked by hash,
# or given as VCACHE_HIREDIS_SDIST. A system library serves when it is new enough: older ones crash
# on deeply nested replies and check no host names in certificates.
set(_sdist_version 3.5.0)
set(_sdist_sha256 c227592cc56b7df247abe4755c26723965be68972be2149fa441ac33d82131ba)
set(_sdist_name hiredis-${_sdist_version}.tar.gz)

# Sets `out` to the archive: the one given, one fetched before, or one fetched now.
function(vcache_hiredis_archive out)
  if(VCACHE_HIREDIS_SDIST)
    set(${out} "${VCACHE_HIREDIS_SDIST}" PARENT_SCOPE)
    return()
  endif()
  set(folder "${PROJECT_SOURCE_DIR}/.cache")
  set(archive "${folder}/${_sdist_name}")
  if(NOT EXISTS "${archive}")
    message(STATUS "Fetching hiredis==${_sdist_version}")
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -m pip download --quiet --no-deps --no-binary hiredis
              --dest "${folder}" hiredis==${_sdist_version}
      RESULT_VARIABLE failed
      ERROR_VARIABLE reason)
    if(failed OR NOT EXISTS "${archive}")
      message(FATAL_ERROR "Cannot fetch the hiredis source (pip must be installed "
                          "for ${Python_EXECUTABLE}). Without network set VCACHE_HIREDIS_SDIST "
                          "to a copy of ${_sdist_name}.\n${reason}")
    endif()
  endif()
  set(${out} "${archive}" PARENT_SCOPE)
endfunction()

# Unpacks the archive and sets `out` to the folder of the C source.
function(vcache_hiredis_source out)
  vcache_hiredis_archive(archive)
  file(SHA256 "${archive}" sha256)
  if(NOT sha256 STREQUAL _sdist_sha256)
    message(FATAL_ERROR "${archive} has SHA-256 ${sha256}, expected ${_sdist_sha256}")
  endif()
  set(folder "${PROJECT_BINARY_DIR}/hiredis")
  set(source "${folder}/hiredis-${_sdist_version}/vendor/hiredis")
  file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${folder}")
  file(GLOB headers "${source}/*.h")
  file(COPY ${headers} DESTINATION "${folder}/include/hiredis")
  set(${out} "${source}" PARENT_SCOPE)
endfunction()

function(vcache_build_hiredis)
  vcache_hiredis_source(source)
  set(names alloc async hiredis net read sds sockcompat ssl)
  list(TRANSFORM names REPLACE "(.+)" "${source}/\\1.c" OUTPUT_VARIABLE files)
  add_library(vcache_hiredis STATIC ${files})
  target_include_directories(vcache_hiredis SYSTEM
                             PUBLIC "${PROJECT_BINARY_DIR}/hiredis/include"
                             PRIVATE "${source}")
  set_target_properties(vcache_hiredis PROPERTIES C_VISIBILITY_PRESET hidden C_STANDARD 11)
  # -fwrapv: the parser adds to lengths that the peer chose before it compares them.
  target_compile_options(vcache_hiredis PRIVATE -w -fwrapv -fstack-protector-strong)
  if(VCACHE_SANITIZE)
    target_compile_options(vcache_hiredis PRIVATE -fsanitize=${VCACHE_SANITIZE})
  endif()
  target_link_libraries(vcache_hiredis PUBLIC OpenSSL::SSL OpenSSL::Crypto)
  add_library(hiredis::hiredis ALIAS vcache_hiredis)
  if(SKBUILD)
    install(FILES "${source}/COPYING" COMPONENT python
            DESTINATION "${SKBUILD_METADATA_DIR}/licenses/hiredis")
  endif()
endfunction()

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND AND NOT VCACHE_HIREDIS_SDIST)
  pkg_check_modules(SYSTEM_HIREDIS QUIET IMPORTED_TARGET hiredis>=1.5 hiredis_ssl>=1.5)
endif()
if(SYSTEM_HIREDIS_FOUND)
  add_library(hiredis::hiredis ALIAS PkgConfig::SYSTEM_HIREDIS)
else()
  vcache_build_hiredis()
endif()
