"""The demo's own ratios."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import CannotRun, Check, Outcome, expect, last_line

WORDS = {
    "memory_p50": "uncached p50 over p50 from memory",
    "redis_p50": "uncached p50 over p50 from Redis",
    "stream": "whole stream, misses included",
}
TARGETS = {"memory_p50": 100.0, "redis_p50": 20.0, "stream": 4.0}


def quick(rounds: int) -> Outcome:
    """`python -m vcache demo --quick`."""
    return _demo("--quick")


def full(rounds: int) -> Outcome:
    """`python -m vcache demo` (with `script/bench --full`)."""
    return _demo()


def _demo(*arguments: str) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="vcache-bench-") as folder:
        figures, picture = Path(folder) / "demo.json", Path(folder) / "demo.png"
        command = [sys.executable, "-m", "vcache", "demo", *arguments]
        command += ["--json", str(figures), "--plot", str(picture)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if not figures.exists():
            reason = last_line(ended.stderr)
            raise CannotRun(f"the demo ended with status {ended.returncode}: {reason}")
        found = json.loads(figures.read_text())
    expect(found["equal"], "the demo's cached answers differ from the uncached ones")
    ratios = found["ratios"]
    if missing := [words for name, words in WORDS.items() if name not in ratios]:
        raise CannotRun(f"the demo did not measure: {', '.join(missing)}")
    measured = {run["name"]: run["wall_seconds"] for run in found["runs"]}
    return Outcome([Check(WORDS[name], ratios[name], TARGETS[name]) for name in WORDS], measured)
