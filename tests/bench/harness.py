"""Rounds in which candidates take turns, and loops whose own cost is taken off."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

DIM = 384
ENTRIES = 10_000
OPERATIONS = 20_000
KEY_LENGTH = 60
SEED = 11


GIVEN: dict[str, Path] = {}
"""Of the command line: the folder of "traces"."""


class Timing(NamedTuple):
    """Seconds per operation of one round, and of the bare loop around it."""

    work: float
    overhead: float = 0.0


Round = Callable[[], Timing]


class WrongAnswer(AssertionError):
    """A candidate did not return what was stored."""


class CannotRun(RuntimeError):
    """Something that the row needs is not on this machine."""


def trace_files() -> list[Path]:
    """The traces of the folder that was given, in the order of their names."""
    if "traces" not in GIVEN:
        raise CannotRun("needs --traces FOLDER, a folder of traces (.npz with ids)")
    if not (found := sorted(GIVEN["traces"].glob("*.npz"))):
        raise CannotRun(f"--traces {GIVEN['traces']} holds no .npz file")
    return found


@dataclass(frozen=True)
class Check:
    """One comparison of a row: `value` against `target`."""

    what: str
    value: float
    target: float
    at_least: bool = True
    unit: str = "x"

    @property
    def reached(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass(frozen=True)
class Outcome:
    """A row's comparisons, and what was measured underneath (seconds, or as named)."""

    checks: Sequence[Check]
    measured: dict[str, float] = field(default_factory=dict)


def compete(candidates: dict[str, Round], rounds: int) -> dict[str, float]:
    """Best seconds per operation of each candidate, loop taken off; the order is random."""
    order, rng = list(candidates), random.Random(SEED)
    timings: dict[str, list[Timing]] = {name: [] for name in order}
    for _ in range(rounds):
        rng.shuffle(order)
        for name in order:
            timings[name].append(candidates[name]())
    return {
        name: min(t.work for t in taken) - min(t.overhead for t in taken)
        for name, taken in timings.items()
    }


def loop(call: Callable[[Any], Any], arguments: Callable[[], Sequence[Any]]) -> Round:
    """A round that calls `call` once per argument; arguments are made anew, outside the timing."""

    def calls(made: Sequence[Any]) -> None:
        for argument in made:
            call(argument)

    def nothing(made: Sequence[Any]) -> None:
        for _argument in made:
            pass

    return difference(calls, nothing, arguments)


def pair_loop(call: Callable[[Any, Any], Any], pairs: Callable[[], Sequence[Any]]) -> Round:
    """`loop` for calls of two arguments."""

    def calls(made: Sequence[Any]) -> None:
        for first, second in made:
            call(first, second)

    return difference(calls, unpack_only, pairs)


def unpack_only(made: Sequence[Any]) -> None:
    for _first, _second in made:
        pass


def difference(
    work: Callable[[Sequence[Any]], None],
    overhead: Callable[[Sequence[Any]], None],
    arguments: Callable[[], Sequence[Any]],
) -> Round:
    """A round of `work`, and of `overhead`, the same loop without it.

    The clock is the thread's CPU time: none of the calls waits, and what else runs on the machine
    is left out.
    """

    def run() -> Timing:
        made = arguments()
        with quiet():
            start = time.thread_time()
            work(made)
            between = time.thread_time()
            overhead(made)
            end = time.thread_time()
        return Timing((between - start) / len(made), (end - between) / len(made))

    return run


@contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection while the clock runs."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def key(number: int) -> str:
    """A new string of 60 characters, its hash not yet known to Python."""
    return f"emb:all-MiniLM-L6-v2:{number:0{KEY_LENGTH - 21}d}"


def zipf(count: int, among: int = ENTRIES, seed: int = SEED) -> list[int]:
    """Numbers below `among`, rank r drawn with a share proportional to 1/(r+1)."""
    shares = 1.0 / np.arange(1, among + 1)
    drawn = np.random.default_rng(seed).choice(among, size=count, p=shares / shares.sum())
    return np.random.default_rng(seed + 1).permutation(among)[drawn].tolist()


def vectors(count: int = ENTRIES, dim: int = DIM) -> np.ndarray:
    return np.random.default_rng(SEED).standard_normal((count, dim), dtype=np.float32)


def last_line(output: str) -> str:
    """Where a program says why it ended."""
    return output.strip().rpartition("\n")[2]


def expect(same: object, what: str) -> None:
    if not same:
        raise WrongAnswer(what)
