"""The notebooks, run a second time."""

from __future__ import annotations

import resource
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
    measured, processors = {}, 0.0
    for _ in range(2):
        before = _processor_seconds()
        for source in SOURCES:
            start = time.perf_counter()
            run(source)
            measured[source.stem] = time.perf_counter() - start
        processors = _processor_seconds() - before
    seconds = sum(measured.values())
    check = Check("all notebooks, second run", seconds, 180, at_least=False, unit=" s")
    return Outcome([check], measured | {"processor time": processors})


def _processor_seconds() -> float:
    """Of this process and of those that it started and that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
