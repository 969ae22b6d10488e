"""Traces in files of lines: access logs and CSV."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from .._messages import shown
from ._trace import LARGEST_SIZE, Trace

__all__ = [
    "LONGEST_LINE",
    "UNKNOWN",
    "Access",
    "id_of",
    "known_costs",
    "known_sizes",
    "number_of",
    "read_csv",
    "read_log",
]

LONGEST_LINE = 1 << 20  # bytes
UNKNOWN = -1  # size or cost
_HASH = re.compile(r"[0-9a-fA-F]{16}")
_NUMBER = re.compile(r"\d{1,20}")
_COLUMNS = {
    "time": "time",
    "timestamp": "time",
    "clock_time": "time",
    "id": "id",
    "obj_id": "id",
    "key": "id",
    "size": "size",
    "obj_size": "size",
    "cost": "cost",
}


class Access(msgspec.Struct):
    """A line of an access log, as far as it is read."""

    key: int | str
    time: float | None = None
    size: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SIZE)] | None = None
    cost: Annotated[float, msgspec.Meta(ge=0)] | None = None


class _Requests:
    """Requests as they are read: compact arrays, and what was skipped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ids, self._sizes = array("Q"), array("q")
        self._times, self._costs = array("d"), array("d")
        self._skipped, self._why = 0, ""

    def add(self, identity: int | str, time: float, size: int, cost: float) -> None:
        """Raises OverflowError, having added nothing, for a number that is no id."""
        self._ids.append(number_of(identity) if isinstance(identity, str) else identity)
        self._sizes.append(size)
        self._times.append(time)
        self._costs.append(cost)

    def skip(self, line: int, why: object) -> None:
        self._skipped += 1
        self._why = self._why or f"line {line}: {why}"

    def trace(self, *, by_time: bool) -> Trace:
        name = f"trace={shown(str(self.path))}"
        if not self._ids and not self._skipped:
            raise ValueError(f"{name} is empty: at least one request is needed")
        if self._skipped > len(self._ids):
            total = self._skipped + len(self._ids)
            raise ValueError(
                f"{name}: {self._skipped} of {total} lines are no requests; {self._why}"
            )
        ids = np.frombuffer(self._ids, np.uint64)
        times = np.frombuffer(self._times, np.float64)
        sizes = known_sizes(ids, np.frombuffer(self._sizes, np.int64))
        costs = known_costs(ids, np.frombuffer(self._costs, np.float64))
        late = 0
        known = not np.isnan(times).any()
        if known and by_time:
            late = int(np.count_nonzero(times < np.maximum.accumulate(times)))
        order = np.argsort(times, kind="stable") if late else slice(None)
        return Trace(
            ids[order],
            None if sizes is None else sizes[order].astype(np.uint32),
            times[order] if known else None,
            None if costs is None else costs[order].astype(np.float32),
            self.path.stem,
            self._skipped,
            self._why,
            late,
        )


def read_log(path: Path) -> Trace:
    """An access log; see read_trace()."""
    decode = msgspec.json.Decoder(Access).decode
    requests = _Requests(path)
    for number, line in _lines(path):
        try:
            access = decode(line)
            requests.add(
                id_of(access.key),
                np.nan if access.time is None else access.time,
                access.size or UNKNOWN,
                _cost_of(access),
            )
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError) as error:
            requests.skip(number, error)
    return requests.trace(by_time=True)


def id_of(key: int | str) -> int | str:
    """The number that 16 hexadecimal digits are."""
    return int(key, 16) if isinstance(key, str) and _HASH.fullmatch(key) else key


def _cost_of(access: Access) -> float:
    """A cache that missed knows neither size nor cost: both are 0."""
    is_unknown = access.cost is None or (access.cost == 0 and access.size == 0)
    return UNKNOWN if is_unknown else access.cost  # type: ignore[return-value]


def read_csv(path: Path) -> Trace:
    """A trace of libCacheSim; see read_trace()."""
    requests, columns, separator = _Requests(path), None, ","
    for number, line in _lines(path):
        text = line.decode("utf-8", "replace").strip()
        if columns is None:
            text = text.lstrip("\ufeff#").strip()
            separator = max(",;\t", key=text.count)
            columns = _columns_of(text.split(separator))
            if columns:
                continue
            columns = {"time": 0, "id": 1, "size": 2}
        cells = [cell.strip().strip('"') for cell in text.split(separator)]
        try:
            requests.add(*_request_of(cells, columns))
        except (IndexError, ValueError) as error:
            requests.skip(number, f"{shown(text)}: {error}")
    return requests.trace(by_time=False)


def _columns_of(cells: list[str]) -> dict[str, int]:
    """Where which column is, if these are names that say it."""
    names = [_COLUMNS.get(cell.strip().strip('"').lower(), "") for cell in cells]
    return {name: place for place, name in enumerate(names) if name} if "id" in names else {}


def _request_of(cells: list[str], columns: dict[str, int]) -> tuple[str, float, int, float]:
    values = {name: cells[place] for name, place in columns.items()}
    size = int(values["size"]) if "size" in values else UNKNOWN
    cost = float(values["cost"]) if "cost" in values else UNKNOWN
    time = float(values["time"]) if "time" in values else np.nan
    if not values["id"] or np.isinf(time) or not (cost == UNKNOWN or 0 <= cost < np.inf):
        raise ValueError("needed are an id, a time, and a cost from 0 on where there is one")
    if not UNKNOWN <= size <= LARGEST_SIZE or (size == UNKNOWN and "size" in values):
        raise ValueError(f"sizes are from 0 to {LARGEST_SIZE} bytes")
    return values["id"], time, size, cost


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
            if len(line) > LONGEST_LINE:
                raise ValueError(
                    f"trace={shown(str(path))}: line {number} is longer than 1 MiB: allowed are"
                    " lines of one request"
                )
            if line.strip():
                yield number, line


def number_of(text: str) -> int:
    """A text as an id: its number, or a hash."""
    if _NUMBER.fullmatch(text) and int(text) < 2**64:
        return int(text)
    if _HASH.fullmatch(text):
        return int(text, 16)
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def known_sizes(
    ids: npt.NDArray[np.uint64], sizes: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64] | None:
    """Sizes without UNKNOWN, as read_trace() says; None where all are that."""
    filled = _filled(ids, sizes)
    if filled is None:
        return None
    known = filled != UNKNOWN
    if known.all():
        return filled
    _, firsts = np.unique(ids[known], return_index=True)  # an object counts once
    return np.where(known, filled, round(filled[known][firsts].mean()))


def known_costs(
    ids: npt.NDArray[np.uint64], costs: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | None:
    """Costs without UNKNOWN, as read_trace() says; None where all are that."""
    filled = _filled(ids, costs)
    return None if filled is None else np.where(filled == UNKNOWN, 0, filled)


def _filled(ids: npt.NDArray[np.uint64], values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """`values` with the largest known one of the id, if any, where one is unknown; None if all are
    unknown.
    """
    unknown = values == UNKNOWN
    if unknown.all():
        return None
    if not unknown.any():
        return values
    _, places = np.unique(ids, return_inverse=True)
    largest = np.full(int(places.max()) + 1, UNKNOWN, values.dtype)
    np.maximum.at(largest, places, values)
    return np.where(unknown, largest[places], values)
