# vcache_flags: language level, warnings, hardening and instrumentation of all our own targets.
add_library(vcache_flags INTERFACE)
target_compile_features(vcache_flags INTERFACE cxx_std_20)
target_include_directories(vcache_flags INTERFACE "${PROJECT_SOURCE_DIR}/cpp")
target_compile_options(
  vcache_flags
  INTERFACE -Wall
            -Wextra
            -Wconversion
            -Wshadow
            -pedantic
            $<$<BOOL:${VCACHE_WERROR}>:-Werror>
            -fvisibility=hidden
            -fvisibility-inlines-hidden
            -fstack-protector-strong
            -fno-omit-frame-pointer)
target_link_options(vcache_flags INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)

if(VCACHE_SANITIZE)
  target_compile_options(vcache_flags INTERFACE -fsanitize=${VCACHE_SANITIZE}
                                                -fno-sanitize-recover=all)
  target_link_options(vcache_flags INTERFACE -fsanitize=${VCACHE_SANITIZE})
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
  target_compile_options(vcache_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()

if(VCACHE_COVERAGE)
  target_compile_options(vcache_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(vcache_flags INTERFACE --coverage)
endif()

if(VCACHE_WERROR)
  target_compile_definitions(vcache_flags INTERFACE _GLIBCXX_ASSERTIONS)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(vcache_flags INTERFACE -Wthread-safety)
endif()
