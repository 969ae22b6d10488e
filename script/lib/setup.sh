# Set-up of the checkout: system packages, .venv, Python packages, the build. Sourced, not run.
# Every part is skipped when its inputs are those of the last run.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$ROOT/script/lib/system.sh"

VENV=$ROOT/.venv
PY=$VENV/bin/python
STAMPS=$VENV/.stamps
export PATH="$VENV/bin:$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONNOUSERSITE=1
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV

torch_wanted() {
  case ${VCACHE_TORCH-1} in '' | 0 | [Oo][Ff][Ff] | [Nn][Oo] | [Ff]alse | FALSE) return 1 ;; esac
}

# fresh NAME VALUE: whether stamp NAME holds VALUE.
fresh() { [ "$(cat "$STAMPS/$1" 2>/dev/null)" = "$2" ]; }
stamp() { mkdir -p "$STAMPS" && printf '%s' "$2" >"$STAMPS/$1"; }

# Hash of the content of the given files and folders.
hash_of() {
  find "$@" -type f ! -name '*.pyc' ! -name '*.so' -print0 2>/dev/null | LC_ALL=C sort -z |
    xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

make_venv() {
  rm -rf "$VENV" "$ROOT"/build/cp*
  "$1" -m venv "$VENV"
}

setup_venv() {
  local python identity
  python=$(find_python) || die "$(python_advice)"
  identity="$ROOT $("$python" -c 'import sys; print(sys.version, sys.base_prefix)')"
  if ! fresh venv "$identity" || ! "$PY" -c '' 2>/dev/null; then
    step "virtual environment .venv ($("$python" -V))" make_venv "$python"
    stamp venv "$identity"
  fi
}

install_requirements() { "$PY" -m pip install -r "$1"; }

# setup_requirements GROUP...: the packages that pyproject.toml names in these groups.
setup_requirements() {
  local list value name
  torch_wanted && set -- "$@" torch
  name=requirements-$(IFS=-; printf '%s' "$*")
  list=$ROOT/build/$name.txt
  "$PY" "$ROOT/script/lib/requirements.py" "$@" >"$list"
  value=$(sha256sum <"$list")
  if ! fresh "$name" "$value"; then
    step "Python packages: build, run time, $(IFS=,; printf '%s' "$*")" install_requirements "$list"
    stamp "$name" "$value"
  fi
}

install_vcache() {
  "$PY" -m pip install --no-build-isolation --no-deps --force-reinstall "$ROOT"
  "$PY" -c 'import vcache._core'
}

setup_build() {
  local value
  value="torch=${VCACHE_TORCH-1} $(hash_of pyproject.toml CMakeLists.txt build_backend cmake cpp python)"
  if ! fresh build "$value" || ! "$PY" -c 'import vcache._core' 2>/dev/null; then
    step "vcache: compile and install into .venv" install_vcache
    stamp build "$value"
  fi
}

# setup GROUP...: everything up to an installed vcache, with these optional groups of packages.
setup() {
  local start
  start=$(now_ms)
  exec 9>"$ROOT/build/.setup.lock"
  flock 9
  setup_system
  setup_venv
  setup_requirements "$@"
  setup_build
  exec 9>&-
  say "  set-up is ready ($(seconds_since "$start") s)"
}
