"""Bytes per cached vector and the cost of `import vcache`, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness import CannotRun, Check, Outcome, expect, last_line

PROBES = Path(__file__).parents[1] / "probes"
IMPORT_SECONDS = 0.150
BYTES_BEYOND = 160


def memory(rounds: int) -> Outcome:
    """RSS per 384-d vector beyond its 1,536 bytes, key of 60 characters included, under `lru`."""
    names = ("vcache", "cachebox", "dict")
    measured = {f"{name} (bytes)": probe("rss.py", name)["bytes_beyond"] for name in names}
    check = Check(
        "bytes beyond the numbers",
        measured["vcache (bytes)"],
        BYTES_BEYOND,
        at_least=False,
        unit=" bytes",
    )
    return Outcome([check], measured)


def import_time(rounds: int) -> Outcome:
    """`import vcache` once numpy is there: no torch, no thread."""
    runs = [probe("imports.py") for _ in range(rounds)]
    for run in runs:
        expect(not run["torch"], "import vcache imported torch")
        expect(run["threads"] == 0, f"import vcache started {run['threads']} threads")
    best = min(run["seconds"] for run in runs)
    check = Check("seconds", best, IMPORT_SECONDS, at_least=False, unit=" s")
    return Outcome([check], {"vcache": best})


def probe(script: str, *arguments: str) -> dict[str, float]:
    """Runs a file of `probes/` and reads the JSON it prints."""
    command = [sys.executable, str(PROBES / script), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise CannotRun(f"{script}: {last_line(ended.stderr)}")
    found: dict[str, float] = json.loads(ended.stdout)
    return found
