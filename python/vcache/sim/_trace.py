"""What a trace is, and where it can come from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from .._messages import shown

__all__ = ["Trace", "TraceLike", "read_trace", "trace_of"]

LARGEST_SIZE = 2**32 - 1
_ROTATED = re.compile(r"(?<=\.jsonl)\.\d+$")  # PATH.1 of an access log
_ALLOWED = (
    "allowed are an array of ids, a Trace, or a path that ends in .npz, .jsonl (access log) or .csv"
)

TraceLike: TypeAlias = (
    "Trace | npt.NDArray[np.integer[Any]] | Sequence[int] | str | os.PathLike[str]"
)


@dataclass(frozen=True, eq=False)
class Trace:
    """Requests in the order in which they were made.

    ids: which object each is for: whole numbers from 0 to 2**64 - 1, of shape (n,). The numbers
        mean nothing: they are hashed before use.
    sizes: bytes of the object at each request, 0 to 2**32 - 1, of shape (n,); None: unknown.
    times: seconds, of shape (n,); None: unknown. They change no replay.
    costs: what a miss costs at each request, of shape (n,), 0 where unknown; None: unknown.
    name: shown in tables and messages.
    skipped: lines of the file that were no requests; the first of them is told in `skipped_why`.
    reordered: requests of the file that lay after later ones.

    The arrays are kept as uint64, uint32, float64 and float32. Raises TypeError or ValueError,
    naming the argument, for arrays of another shape, kind or range, and for no requests at all.
    """

    ids: npt.NDArray[np.uint64]
    sizes: npt.NDArray[np.uint32] | None = None
    times: npt.NDArray[np.float64] | None = None
    costs: npt.NDArray[np.float32] | None = None
    name: str = "trace"
    skipped: int = 0
    skipped_why: str = ""
    reordered: int = 0

    def __post_init__(self) -> None:
        ids = _whole_numbers(self.ids, "ids", 2**64 - 1, np.uint64)
        if not len(ids):
            raise ValueError(f"{self.name}: there is no request: at least one is needed")
        self._keep("ids", ids)
        if self.sizes is not None:
            self._keep("sizes", _whole_numbers(self.sizes, "sizes", LARGEST_SIZE, np.uint32))
        if self.times is not None:
            self._keep("times", _numbers(self.times, "times", -np.inf, np.float64))
        if self.costs is not None:
            self._keep("costs", _numbers(self.costs, "costs", 0, np.float32))

    def _keep(self, name: str, values: npt.NDArray[Any]) -> None:
        if name != "ids" and len(values) != len(self.ids):
            raise ValueError(
                f"{name} of length {len(values)}: allowed is that of ids, {len(self.ids)}"
            )
        object.__setattr__(self, name, values)

    @property
    def requests(self) -> int:
        """How many requests there are."""
        return len(self.ids)

    @cached_property
    def objects(self) -> int:
        """How many distinct objects are asked for."""
        return len(self._first_uses)

    @cached_property
    def footprint(self) -> int:
        """Bytes of all distinct objects, each as large as at its first request; without sizes one
        byte each.
        """
        if self.sizes is None:
            return self.objects
        return int(self.sizes[self._first_uses].sum(dtype=np.uint64))

    @cached_property
    def next_uses(self) -> npt.NDArray[np.uint64]:
        """For each request the number of the next one for the same id, 2**64 - 1 for none."""
        order = np.argsort(self.ids, kind="stable")
        ordered = self.ids[order]
        again = ordered[1:] == ordered[:-1]
        following = np.full(len(order), 2**64 - 1, np.uint64)
        following[order[:-1][again]] = order[1:][again]
        return following

    @cached_property
    def _first_uses(self) -> npt.NDArray[np.intp]:
        return np.unique(self.ids, return_index=True)[1]

    def only(self, chosen: npt.NDArray[np.bool_]) -> Trace:
        """The requests for which `chosen`, of shape (n,), is True."""
        return Trace(
            self.ids[chosen],
            None if self.sizes is None else self.sizes[chosen],
            None if self.times is None else self.times[chosen],
            None if self.costs is None else self.costs[chosen],
            self.name,
        )


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """The trace in a file, by the end of its name.

    .npz: arrays `ids`, and `sizes`, `times`, `costs` where there are, as in Trace.
    .jsonl, also as .jsonl.1 and so on: an access log, of one JSON object a line: "key": the hash
        of the key as 16 hexadecimal digits, as a number, or any other text; "time": seconds;
        "size": bytes; "cost": of a
        miss; others are not read. Where a size is missing or 0, as in a miss, it is the largest
        that the log has for the key, and otherwise the mean of all objects, so that what was asked
        for once is not taken for small. Where a cost is missing, or 0 like the size, it is the
        largest of the key, and otherwise 0. Lines are sorted by time.
    .csv: time, id, size a line, more columns are not read: what libCacheSim reads with
        time-col=1, obj-id-col=2, obj-size-col=3. A first line of names may order the columns
        differently: time, id (or obj_id, key), size (or obj_size), cost. Commas, semicolons or
        tabs separate them. An id that is no whole number is hashed.

    Lines of logs and CSV that are no requests are skipped and counted. Raises ValueError, naming
    the path, where most of them are, and for a file of another kind; OSError where it cannot be
    read.
    """
    from ._lines import read_csv, read_log

    readers: dict[str, Callable[[Path], Trace]] = {
        ".npz": _read_arrays,
        ".jsonl": read_log,
        ".csv": read_csv,
    }
    file = Path(path)
    suffix = Path(_ROTATED.sub("", file.name)).suffix.lower()
    if suffix not in readers:
        raise ValueError(f"trace={shown(os.fspath(path))}: {_ALLOWED}")
    return readers[suffix](file)


def trace_of(given: TraceLike) -> Trace:
    """Of anything that replay() takes."""
    if isinstance(given, Trace):
        return given
    if isinstance(given, (str, os.PathLike)):
        return read_trace(given)
    if isinstance(given, (np.ndarray, Sequence)) and not isinstance(given, (bytes, bytearray)):
        return Trace(np.asarray(given))
    raise TypeError(f"trace={shown(given)} is of type {type(given).__name__}: {_ALLOWED}")


def _read_arrays(path: Path) -> Trace:
    name = f"trace={shown(str(path))}"
    try:
        with path.open("rb") as source, np.load(source, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("ids", "sizes", "times", "costs") if key in file}
    except (BadZipFile, ValueError, TypeError, EOFError, AttributeError) as error:
        raise ValueError(f"{name}: not an .npz of arrays: {error}") from error
    if "ids" not in arrays:
        raise ValueError(f"{name} has no array 'ids': needed is uint64 of shape (n,)")
    try:
        return Trace(**arrays, name=path.stem)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def _whole_numbers(
    values: Any, name: str, most: int, dtype: type[np.unsignedinteger[Any]]
) -> npt.NDArray[Any]:
    array = _of_one_dimension(values, name)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} of dtype {array.dtype}: allowed are whole numbers")
    if array.size and (int(array.min()) < 0 or int(array.max()) > most):
        worst = int(array.min()) if int(array.min()) < 0 else int(array.max())
        raise ValueError(f"{name} with {worst}: allowed are whole numbers from 0 to {most}")
    return np.ascontiguousarray(array, dtype)


def _numbers(
    values: Any, name: str, least: float, dtype: type[np.floating[Any]]
) -> npt.NDArray[Any]:
    array = _of_one_dimension(values, name)
    if array.size and array.dtype.kind not in "iuf":
        raise TypeError(f"{name} of dtype {array.dtype}: allowed are numbers")
    if not np.all(np.isfinite(array)) or (array.size and array.min() < least):
        raise ValueError(f"{name}: allowed are finite numbers{' from 0 on' if least == 0 else ''}")
    return np.ascontiguousarray(array, dtype)


def _of_one_dimension(values: Any, name: str) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} of shape {array.shape}: allowed is one dimension")
    return array
