"""The caches that a model is trained for and held against: each trace at each size."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np

from .._messages import shown
from ..sim._replay import Capacity, capacity_of
from ..sim._trace import Trace, TraceLike, trace_of

__all__ = [
    "SIZES",
    "Case",
    "Told",
    "TracesLike",
    "cases_of",
    "past_of",
    "shared",
    "traces_of",
    "whole",
]

SIZES: tuple[Capacity, ...] = ("0.3%", "1%", "3%", "10%", "30%")

TracesLike: TypeAlias = "TraceLike | Sequence[TraceLike]"
Told = Callable[[str, float], object]
"""Takes the name of a stage of the work, and which share of it is done."""


@dataclass(frozen=True, eq=False)
class Case:
    """A trace and a cache of so many entries; the requests from number `cut` on are the newest."""

    trace: Trace
    size: Capacity
    capacity: int
    cut: int


def traces_of(given: TracesLike) -> list[Trace]:
    """Of anything that replay() takes, or a sequence of such."""
    if isinstance(given, (Trace, str, os.PathLike, np.ndarray)):
        return [trace_of(given)]
    if not isinstance(given, Sequence) or not given:
        raise TypeError(f"traces={shown(given)}: allowed are a trace, and a sequence of them")
    return [trace_of(cast("TraceLike", each)) for each in given]


def cases_of(traces: Sequence[Trace], sizes: Sequence[Capacity], newest: float) -> list[Case]:
    """Each trace at each size; sizes that are the same capacity of a trace count once."""
    if isinstance(sizes, str) or not isinstance(sizes, Sequence) or not sizes:
        raise ValueError(f"sizes={shown(sizes)}: allowed is a sequence of at least one capacity")
    found = []
    for trace in traces:
        known = set[int]()
        for place, size in enumerate(sizes):
            capacity = capacity_of(size, trace, "entries", f"sizes[{place}]")
            if capacity not in known:
                found.append(Case(trace, size, capacity, _cut(trace, newest)))
            known.add(capacity)
    return found


def past_of(trace: Trace, newest: float) -> Trace:
    """The trace without its newest share; at least one request."""
    return trace.only(np.arange(trace.requests) < max(_cut(trace, newest), 1))


def _cut(trace: Trace, newest: float) -> int:
    """Number of the first of the newest requests, which are at least one."""
    return trace.requests - max(round(trace.requests * newest), 1)


def whole(number: object, name: str, least: int, most: int) -> int:
    """The whole number given as argument `name`."""
    allowed = f"allowed are whole numbers from {least} to {most:,}"
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
        kind = type(number).__name__
        raise TypeError(f"{name}={shown(number)} is of type {kind}: {allowed}")
    if not least <= int(number) <= most:
        raise ValueError(f"{name}={shown(number)}: {allowed}")
    return int(number)


def shared(total: int, told: Told, stage: str) -> Callable[[int], None]:
    """Tells of a stage of so many requests as some of them are done."""
    done = 0

    def advance(requests: int) -> None:
        nonlocal done
        done += requests
        told(stage, done / total)

    return advance
