"""Sums over look-ups by group and by window of time."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from .._messages import shown
from ..durations import Duration, parse_duration

__all__ = ["By", "Cells", "check_by", "seconds_of", "table"]

By: TypeAlias = 'Literal["group"] | None'


class Cells:
    """Which cell each look-up belongs to: its window, its group, both, or all to one.

    `labels` are the fields "time" (f8, start of the window) and "group", as they were asked for.
    The cells that are not empty come in the order of time, and then the busiest first.
    """

    def __init__(self, found: npt.NDArray[Any], by: By, window: Duration | None) -> None:
        check_by(by)
        self._found = found
        keys: dict[str, npt.NDArray[Any]] = {}
        if window is not None:
            seconds = seconds_of(window)
            keys["time"] = np.floor(found["time"] / seconds) * seconds
        if by == "group":
            keys["group"] = found["group"]
        self.labels, self._places = _distinct(keys, len(found))
        counts = np.bincount(self._places, minlength=len(self))
        times = self.labels.get("time", np.zeros(len(self)))
        order = np.lexsort((-counts, times))
        self.labels = {name: values[order] for name, values in self.labels.items()}
        ranks = np.empty(len(self), np.intp)
        ranks[order] = np.arange(len(self))
        self._places = ranks[self._places]

    def __len__(self) -> int:
        return len(next(iter(self.labels.values()))) if self.labels else 1

    def count(self, chosen: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
        """Of each cell the look-ups, of shape (cells,)."""
        places = self._places if chosen is None else self._places[chosen]
        return np.bincount(places, minlength=len(self)).astype(np.int64)

    def sum(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Of each cell the sum of `values`, of shape (n,)."""
        return np.bincount(self._places, values.astype(np.float64), len(self)).astype(np.float64)


def _distinct(
    keys: dict[str, npt.NDArray[Any]], length: int
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.intp]]:
    """The combinations that occur, and for each look-up the place of its own."""
    places = np.zeros(length, np.intp)
    values: list[npt.NDArray[Any]] = []
    for column in keys.values():
        distinct, inverse = np.unique(column, return_inverse=True)
        values.append(distinct)
        places = places * max(len(distinct), 1) + inverse
    kept, places = np.unique(places, return_inverse=True)
    labels: dict[str, npt.NDArray[Any]] = {}
    for name, distinct in reversed(list(zip(keys, values, strict=True))):
        labels[name] = distinct[kept % max(len(distinct), 1)]
        kept = kept // max(len(distinct), 1)
    return {name: labels[name] for name in keys}, places


def check_by(by: object) -> None:
    if by not in (None, "group"):
        raise ValueError(f"by={shown(by)}: allowed are None and 'group'")


def seconds_of(window: Duration) -> float:
    return parse_duration(window, "window")


def table(**columns: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A structured array of columns of one length."""
    length = len(next(iter(columns.values())))
    out = np.empty(length, [(name, values.dtype) for name, values in columns.items()])
    for name, values in columns.items():
        out[name] = values
    return out
