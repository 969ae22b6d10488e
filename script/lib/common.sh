# What every command of this folder shares: the checkout, messages and steps. Sourced, not run.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LOGS=$ROOT/build/log
CALLER_FOLDER=$PWD
cd "$ROOT"
mkdir -p "$LOGS"

say() { printf '%s\n' "$*"; }

die() {
  printf '\nvcache: %s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Seconds since the Unix epoch, in milliseconds.
now_ms() { printf '%s' "$((${EPOCHREALTIME/[.,]/} / 1000))"; }

# seconds_since START_MS: "12.3".
seconds_since() {
  local passed=$(($(now_ms) - $1))
  printf '%d.%d' $((passed / 1000)) $((passed % 1000 / 100))
}

# A likely reason for the failure in a log, where it has a well-known one.
explain_log() {
  if grep -qiE 'could not resolve|temporary failure (in name|resolving)|network is unreachable|connection refused|connection timed out' "$1"; then
    printf '\nThe network or the package index cannot be reached.\n' >&2
  elif grep -q 'CERTIFICATE_VERIFY_FAILED' "$1"; then
    printf '\nThe certificate of the package index is not trusted on this machine.\n' >&2
  elif grep -q 'No matching distribution found for torch' "$1"; then
    printf '\nThe package index has no torch 2.13 for this Python; VCACHE_TORCH=0 does without.\n' >&2
  elif grep -qi 'no space left on device' "$1"; then
    printf '\nThe disk is full.\n' >&2
  fi
}

# run_step LABEL COMMAND...: one line on the screen, the output in the log STEP_LOG, the exit status
# in STEP_STATUS. Not to be called in a condition: bash would ignore errors inside the command.
run_step() {
  local label=$1 start
  STEP_LOG=$LOGS/$(printf '%s' "$1" | tr -cs 'a-zA-Z0-9' '-' | cut -c1-60 | sed 's/-*$//').log
  shift
  start=$(now_ms)
  printf '  %-58s ' "$label"
  set +e
  (set -e; "$@") >"$STEP_LOG" 2>&1 </dev/null
  STEP_STATUS=$?
  set -e
  if [ "$STEP_STATUS" -eq 0 ]; then
    printf '%8s s\n' "$(seconds_since "$start")"
  else
    printf 'FAILED after %s s\n' "$(seconds_since "$start")"
    show_failure "$STEP_LOG"
  fi
}

show_failure() {
  { printf '\n'; tail -n "${VCACHE_LOG_LINES:-40}" "$1"; } >&2
  explain_log "$1"
  printf '\nThe whole output: %s\n\n' "$1" >&2
}

# step LABEL COMMAND...: run_step that ends the command on failure.
step() {
  run_step "$@"
  [ "$STEP_STATUS" -eq 0 ] || die "cannot go on: \"$1\" failed"
}
