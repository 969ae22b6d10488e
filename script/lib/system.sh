# System packages: which are needed, and how they are installed. Sourced by setup.sh.

BUILD_PACKAGES="libssl-dev libxxhash-dev libzstd-dev"
TEST_PACKAGES="libgtest-dev libgmock-dev"
# Tests that want these are skipped where the release has no such package.
FAULT_PACKAGES="fiu-utils libfaketime iproute2 openssl valkey-server"

# The first Python that is new enough; PYTHON overrides the search.
find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  return 1
}

python_advice() {
  local found
  found=$(python3 -V 2>/dev/null || printf 'none')
  printf 'Python 3.11 or newer is missing (found: %s). Install it, or name one: PYTHON=/path/to/python3.' "$found"
}

has_header() { printf '#include <%s>\n' "$1" | c++ -E -x c++ - >/dev/null 2>&1; }

# What `python` lacks to make virtual environments and to build extension modules, as packages.
python_packages() {
  local python version
  if ! python=$(find_python); then
    printf 'python3 python3-venv python3-dev '
    return
  fi
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  "$python" -c 'import ensurepip, venv' 2>/dev/null || printf 'python%s-venv ' "$version"
  "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    printf 'python%s-dev ' "$version"
}

# The first of the given packages that this release has.
available_package() {
  local name
  for name in "$@"; do
    if apt-cache show "$name" >/dev/null 2>&1; then
      printf '%s ' "$name"
      return
    fi
  done
  printf '%s ' "$1"
}

# clang and the run-time library of its sanitizers and fuzzer, named after its version.
clang_packages() {
  local version
  version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
  printf 'clang %s ' "${version:+libclang-rt-$version-dev}"
}

# Those of the given packages that this release has.
available_packages() {
  local name
  for name in "$@"; do
    if apt-cache show "$name" >/dev/null 2>&1; then printf '%s ' "$name"; fi
  done
}

# The packages wanted here, whether installed or not.
wanted_packages() {
  printf '%s ' $BUILD_PACKAGES
  have c++ || printf 'g++ '
  have redis-server || printf 'redis-server '
  [ -e /etc/ssl/certs/ca-certificates.crt ] || printf 'ca-certificates '
  [ -z "${WITH_TEST_PACKAGES:-}" ] || { printf '%s ' $TEST_PACKAGES; available_packages $FAULT_PACKAGES; }
  [ -z "${WITH_CLANG:-}" ] || clang_packages
  has_header xtensor/xtensor.hpp || has_header xtensor/containers/xtensor.hpp ||
    available_package libxtensor-dev xtensor-dev
  python_packages
}

missing_packages() {
  local name
  for name in $(wanted_packages); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
      printf '%s ' "$name"
  done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

update_package_lists() { as_root apt-get update; }

# The packages of servers start services; they are wanted for their programs only.
install_packages() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
  local name
  for name in redis-server valkey-server; do
    case " $* " in
      *" $name "*)
        if [ -d /run/systemd/system ]; then as_root systemctl disable --now "$name" || true; fi
        ;;
    esac
  done
}

# Stops where packages are missing and this user cannot install them.
require_installer() {
  have apt-get || die "these are missing, and there is no apt-get to install them: $*"
  [ "$(id -u)" -eq 0 ] || { have sudo && sudo -n true 2>/dev/null; } ||
    die "system packages are missing and sudo wants a password. Run first:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
}

setup_system() {
  [ "$(uname -s)" = Linux ] || die "vcache builds on Linux; this is $(uname -s)"
  local missing
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086
  require_installer $missing
  step "package lists of the system" update_package_lists
  missing=$(missing_packages)
  # shellcheck disable=SC2086
  step "system packages: $missing" install_packages $missing
}
