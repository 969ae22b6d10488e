"""The notebooks, run a second time."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from harness import CannotRun, Check, Outcome


def second_run(rounds: int) -> Outcome:
    """All of them, one after the other, when what they import was read from disk before."""
    sys.path.append(str(Path(__file__).parents[2] / "support"))
    from notebook_runs import SOURCES, run
    from redis_server import is_installed

    if not is_installed():
        raise CannotRun("needs redis-server")
    measured = {}
    for _ in range(2):
        for source in SOURCES:
            start = time.perf_counter()
            run(source)
            measured[source.stem] = time.perf_counter() - start
    seconds = sum(measured.values())
    check = Check("all notebooks, second run", seconds, 180, at_least=False, unit=" s")
    return Outcome([check], measured)
