"""Many threads of many processes that want one embedding which nobody has."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from harness import Check, Outcome, expect
from server import HOST, redis_server

HERD = Path(__file__).parents[1] / "probes" / "herd.py"
PROCESSES, THREADS = 4, 64
TURNS = 3
WHICH = {
    "vcache": "vcache",
    "langchain": "LangChain RedisStore",
    "redisvl": "RedisVL",
}


def one_key(rounds: int) -> Outcome:
    """How often 64 threads in each of 4 processes call the model for one cold text; the worst."""
    calls: dict[str, int] = {}
    measured: dict[str, float] = {}
    for which, name in WHICH.items():
        with redis_server() as port, _herd(which, f"redis://{HOST}:{port}/0") as herd:
            turns = [_asked(herd, f"text {turn} of {which}") for turn in range(TURNS)]
        calls[which] = max(turn["calls"] for turn in turns)
        measured[f"{name} (calls)"] = calls[which]
        measured[name] = min(turn["seconds"] for turn in turns)
    check = Check("model calls", calls["vcache"], 1, at_least=False, unit="")
    return Outcome([check], measured)


@contextmanager
def _herd(which: str, url: str) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, str(HERD), which, url]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with ExitStack() as processes:
        herd = [
            processes.enter_context(subprocess.Popen(command, **pipes)) for _ in range(PROCESSES)
        ]
        for process in herd:
            expect(_answer(process) == "ready", f"a process of {which}")
        yield herd


def _asked(herd: list[subprocess.Popen[str]], text: str) -> dict[str, Any]:
    """What all processes together did, which are told one right after the other."""
    for process in herd:
        assert process.stdin is not None
        print(json.dumps(text), file=process.stdin, flush=True)
    answers = [_answer(process) for process in herd]
    expect(sum(answer["right"] for answer in answers) == PROCESSES * THREADS, "rows of the model")
    return {
        "calls": sum(answer["calls"] for answer in answers),
        "seconds": max(answer["seconds"] for answer in answers),
    }


def _answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    expect(line, "an answer of a process")
    return json.loads(line)
