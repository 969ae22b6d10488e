# The checks of script/test, in parts; each is one step, and a failure does not stop the rest.
PASSED=0
FAILED=()
JOBS=${JOBS:-$(nproc)}

# check LABEL COMMAND...: a step that is counted, and shows the last line of what it printed.
check() {
  run_step "$@"
  if [ "$STEP_STATUS" -eq 0 ]; then
    PASSED=$((PASSED + 1))
    summary_of "$STEP_LOG"
  else
    FAILED+=("$1")
  fi
}

# The totals that test runners print.
summary_of() {
  grep -hE '^(=+ )?[0-9]+ (passed|failed)|tests passed' "$1" | sed 's/^=* *\(.*[^ =]\) *=*$/    \1/' || true
}

report_checks() {
  local name
  if [ ${#FAILED[@]} -gt 0 ]; then
    for name in "${FAILED[@]}"; do say "  FAILED: $name"; done
  fi
  say "checks: $PASSED passed, ${#FAILED[@]} failed ($(seconds_since "$1") s)"
  [ ${#FAILED[@]} -eq 0 ]
}

# cmake_build PRESET [CONFIGURE ARGUMENTS]
cmake_build() {
  local preset=$1
  shift
  cmake --preset "$preset" -DPython_EXECUTABLE="$PY" "$@"
  cmake --build --preset "$preset" -j "$JOBS"
}

torch_define() { if torch_wanted; then printf -- '-DVCACHE_TORCH=ON'; else printf -- '-DVCACHE_TORCH=OFF'; fi; }

run_ctest() { ctest --preset "$1" -j "$JOBS"; }

check_cpp() {
  check "C++: compile, warnings are errors" cmake_build dev "$(torch_define)"
  check "C++: tests" run_ctest dev
  if [ -n "$COVERAGE" ]; then
    check "C++: compile for coverage" cmake_build coverage
    check "C++: tests for coverage" run_ctest coverage
    check "C++: report in build/coverage/cpp" cpp_report
  fi
}

cpp_report() {
  mkdir -p build/coverage/cpp
  "$PY" -m gcovr --root . --filter 'cpp/' --object-directory build/coverage \
    --exclude-throw-branches --html-details build/coverage/cpp/index.html --txt build/coverage/cpp.txt
}

run_pytest() {
  local arguments=()
  [ -z "$NIGHTLY" ] || arguments+=(--timeout=3600)
  [ -z "$COVERAGE" ] || arguments+=(--cov=vcache --cov-report=html:build/coverage/python)
  "$PY" -m pytest "${arguments[@]}"
}

# Each fuzzer for FUZZ_SECONDS, from its seeds; what it finds stays in build/fuzz.
run_fuzzer() {
  local name=$1 seeds=$2 corpus=$ROOT/build/fuzz/corpus-$1
  mkdir -p "$corpus"
  "build/fuzz/tests/fuzz/${name}_fuzz" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$ROOT/build/fuzz/" -print_final_stats=1 "$corpus" "$seeds"
}

check_fuzz() {
  FUZZ_SECONDS=${FUZZ_SECONDS:-60}
  check "fuzzers: compile" cmake_build fuzz
  check "fuzzers: value decoder, $FUZZ_SECONDS s" run_fuzzer decode tests/data/wire
  check "fuzzers: reply reader, $FUZZ_SECONDS s" run_fuzzer reply tests/fuzz/corpus/reply
}

check_python() { check "Python: tests" run_pytest; }

cpp_sources() { find cpp tests -name '*.cpp' -o -name '*.hpp'; }

check_lint() {
  check "lint: ruff" "$PY" -m ruff check .
  check "lint: ruff format" "$PY" -m ruff format --check .
  check "lint: mypy --strict" "$PY" -m mypy
  check "lint: clang-format" run_clang_format
  check "lint: stubs equal the modules" "$ROOT/script/stubs" --check
}

run_clang_format() { cpp_sources | xargs "$VENV/bin/clang-format" --dry-run --Werror; }
