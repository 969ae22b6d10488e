"""How soon another process, which holds a copy in memory, sees that it is no longer right."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from harness import Check, Outcome, expect
from server import HOST, redis_server

import vcache

READER = Path(__file__).parents[1] / "probes" / "reader.py"
CHANGES = 300  # of each kind
NEW = "new"
TARGET = 50.0  # ms
TIMEOUT = 2.0


def seen(rounds: int) -> Outcome:
    """From the start of a call to the first `get` of another process without the old value."""
    with redis_server() as port:
        url = f"redis://{HOST}:{port}/0"
        with vcache.Cache(redis=url, jitter=0, timeout=TIMEOUT) as cache, _reader(url) as reader:
            kinds: dict[str, tuple[Callable[[], object], object]] = {
                "set": (lambda: cache.set("set", NEW), NEW),
                "delete": (lambda: cache.delete("delete"), None),
                "invalidate_tags": (lambda: cache.invalidate_tags("tag"), None),
            }
            taken: dict[str, list[float]] = {kind: [] for kind in kinds}
            for turn in range(CHANGES):
                for kind, (change, left) in kinds.items():
                    cache.set(kind, turn, tags=["tag"] if kind == "invalidate_tags" else [])
                    taken[kind].append(_until_seen(reader, kind, turn, change, left))
    checks = [
        Check(f"{kind} seen by another, p99", _ms(times, 99), TARGET, at_least=False, unit=" ms")
        for kind, times in taken.items()
    ]
    return Outcome(checks, {f"{kind}, p50 (ms)": _ms(times, 50) for kind, times in taken.items()})


def _until_seen(
    reader: _Reader, key: str, value: int, change: Callable[[], object], left: object
) -> float:
    """Seconds; the clock is the machine's, the same in all processes."""
    reader.ask([key, value])
    expect(reader.answer() == "held", f"{key} held by the reader")
    start = time.monotonic()
    change()
    when, found = reader.answer()
    expect(found == left, f"what was read after {key}")
    return float(when) - start


class _Reader:
    """The other process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._lines, self._answers = process.stdin, process.stdout

    def ask(self, what: object) -> None:
        print(json.dumps(what), file=self._lines, flush=True)

    def answer(self) -> Any:
        line = self._answers.readline()
        expect(line, "an answer of the reader")
        return json.loads(line)


@contextmanager
def _reader(url: str) -> Iterator[_Reader]:
    command = [sys.executable, str(READER), url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            reader = _Reader(process)
            expect(reader.answer() == "tracking", "a reader that is told of changes")
            yield reader
        finally:
            process.kill()


def _ms(times: list[float], percent: int) -> float:
    return float(np.percentile(times, percent)) * 1e3
