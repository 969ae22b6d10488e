# The checks that only .ci/run makes. Sourced after checks.sh.

check_all_tests() {
  if "$ROOT/script/test"; then PASSED=$((PASSED + 1)); else FAILED+=("script/test"); fi
}

check_tidy() { check "clang-tidy over the core" cmake_build tidy; }

check_locks() { check "clang -Wthread-safety over base, metrics, l1, l2, cache" cmake_build thread-safety; }

check_san() {
  local preset
  for preset in asan tsan; do
    check "C++: compile for $preset" cmake_build "$preset"
    check "C++: tests under $preset" run_ctest "$preset"
  done
}

build_wheels() {
  rm -rf build/wheels
  "$PY" -m pip wheel --no-deps --no-build-isolation --wheel-dir build/wheels/torch .
  VCACHE_TORCH=0 "$PY" -m pip wheel --no-deps --wheel-dir build/wheels/plain .
  "$PY" "$ROOT/script/lib/wheel_check.py" --without-torch build/wheels/plain/*.whl
  "$PY" "$ROOT/script/lib/wheel_check.py" build/wheels/torch/*.whl
}

check_wheel() { check "wheels: with torch, without it; content" build_wheels; }

# Conventional commits: type(area): what, at most 72 characters.
commit_subjects() {
  local subject bad=0
  git rev-parse --verify --quiet HEAD >/dev/null || { say "no commits here"; return 0; }
  local form='^(feat|fix|perf|refactor|test|docs|build|ci|style)(\([a-z0-9/_-]+\))?!?: [^ ].*[^.]$'
  while IFS= read -r subject; do
    if [ ${#subject} -gt 72 ] || ! [[ $subject =~ $form ]]; then
      printf 'not a conventional subject of at most 72 characters: %s\n' "$subject"
      bad=1
    fi
  done < <(git log --no-merges --format=%s -n "${VCACHE_COMMITS:-20}")
  return "$bad"
}

check_commits() { check "commit subjects" commit_subjects; }

check_bench() { check "benchmarks" "$ROOT/script/bench"; }
