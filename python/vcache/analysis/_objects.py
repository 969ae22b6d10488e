"""What was looked up: popularity, sizes and costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..durations import Duration
from ._accesses import LogLike, accesses
from ._cells import By, Cells, check_by, table

__all__ = ["costs", "objects", "sizes"]

Floats = npt.NDArray[np.float64]


def objects(log: LogLike) -> npt.NDArray[Any]:
    """A row for each distinct key, the most asked for first.

    log: as for accesses(). Of shape (m,), with the fields key (u8, its hash), group (text),
    requests and hits (i8), size (u4, bytes in memory) and cost (f4, of a miss), the largest seen
    and 0 where unknown, first and last (f8, seconds since the epoch, of its look-ups).
    """
    found = accesses(log)
    keys, firsts, places = np.unique(found["key"], return_index=True, return_inverse=True)
    requests = np.bincount(places, minlength=len(keys))
    hits = np.bincount(places[found["tier"] != ""], minlength=len(keys))
    size, cost = np.zeros(len(keys), np.uint32), np.zeros(len(keys), np.float32)
    np.maximum.at(size, places, found["size"])
    np.maximum.at(cost, places, found["cost"])
    last = np.zeros(len(keys))
    last[places] = found["time"]  # in the order of time
    rows = table(
        key=keys,
        group=found["group"][firsts],
        requests=requests.astype(np.int64),
        hits=hits.astype(np.int64),
        size=size,
        cost=cost,
        first=found["time"][firsts],
        last=last,
    )
    return rows[np.argsort(-rows["requests"], kind="stable")]


def sizes(log: LogLike, *, by: By = None) -> npt.NDArray[Any]:
    """How large the distinct objects are in memory, in bytes.

    log: as for accesses(), or what objects() gave. by: "group": a row for each key group, that of
    most bytes first; None: one for all. Of shape (m,), with the fields group with by="group";
    objects and unknown (i8): how many there are, and how many were never found, so that their size
    is not known; bytes (i8): the sum; mean, p50, p95, p99, largest (f8), of those that are known,
    NaN without any.
    """
    check_by(by)
    found = _objects(log)
    names = np.unique(found["group"]) if by == "group" else np.array([""])
    rows = []
    for name in names:
        chosen = found["size"][found["group"] == name] if by == "group" else found["size"]
        known = chosen[chosen > 0]
        spread = np.percentile(known, (50, 95, 99, 100)) if len(known) else np.full(4, np.nan)
        mean = float(known.mean()) if len(known) else np.nan
        counts = (len(chosen), len(chosen) - len(known), int(known.sum(dtype=np.int64)))
        rows.append((name, *counts, mean, *spread))
    whole = [(name, "i8") for name in ("objects", "unknown", "bytes")]
    numbers = [(name, "f8") for name in ("mean", "p50", "p95", "p99", "largest")]
    out = np.array(rows, [("group", found.dtype["group"]), *whole, *numbers])
    if by is None:
        return out[[name for name in out.dtype.names or () if name != "group"]]
    return out[np.argsort(-out["bytes"], kind="stable")]


def costs(log: LogLike, *, by: By = "group", window: Duration | None = None) -> npt.NDArray[Any]:
    """What the look-ups cost, and what the cache saved of it, in the unit in which it was given.

    log: as for accesses(). by, window: as for hit_rates(). Of shape (m,), with the fields time with
    a window; group with by="group"; requests, hits and unknown (i8): how many look-ups, how many of
    them were hits, and how many were for keys of which the log knows no cost; cost_requested (f8):
    what all would have cost without a cache; cost_saved (f8): the hits' part of it; cost_spent
    (f8): the rest. An unknown cost adds nothing. In the order of time, and then of requests.

    The line of a miss says no cost: it is taken to be the largest that the log has for the key.
    """
    found = accesses(log)
    cells = Cells(found, by, window)
    cost = _costs_of_misses(found)
    is_hit = found["tier"] != ""
    requested, saved = cells.sum(cost), cells.sum(np.where(is_hit, cost, 0))
    return table(
        **cells.labels,
        requests=cells.count(),
        hits=cells.count(is_hit),
        unknown=cells.count(cost == 0),
        cost_requested=requested,
        cost_saved=saved,
        cost_spent=requested - saved,
    )


def _costs_of_misses(found: npt.NDArray[Any]) -> Floats:
    """The cost of each look-up, 0 where it is unknown."""
    _, places = np.unique(found["key"], return_inverse=True)
    largest = np.zeros(int(places.max(initial=-1)) + 1)
    np.maximum.at(largest, places, found["cost"])
    given = found["cost"].astype(np.float64)
    return np.where(given > 0, given, largest[places])


def _objects(log: LogLike) -> npt.NDArray[Any]:
    if isinstance(log, np.ndarray) and log.dtype.names and "requests" in log.dtype.names:
        return log
    return objects(log)
