"""Look-ups as one structured array, of a cache, of the files of an access log, or of an array."""

from __future__ import annotations

import errno
import os
import re
import warnings
from array import array
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import IO, Annotated, Any, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from .._messages import caller_level, shown
from ..cache import Cache
from ..sim._lines import LONGEST_LINE, id_of, number_of
from ..sim._trace import LARGEST_SIZE

__all__ = ["FIELDS", "LogLike", "accesses"]

LogLike: TypeAlias = "npt.NDArray[Any] | str | os.PathLike[str] | Cache"

FIELDS = ("time", "key", "group", "tier", "size", "cost")
_TIERS = np.array(["", "memory", "redis"])
_CODES = {None: 0, "memory": 1, "redis": 2}
_BLOCK = 1 << 22  # bytes read at once
_NAME = 64  # most characters of a group
_LATEST = 1e11  # seconds, so that microseconds fit 64 bits
_DEAREST = float(np.finfo(np.float32).max)
_KINDS = {"time": "f", "key": "u", "group": "U", "tier": "U", "size": "ui", "cost": "f"}
_ROTATED = re.compile(r"\.[1-9]\d*")
_ALLOWED = (
    "allowed are a cache with access_log, the path of an access log, and an array as"
    " Cache.accesses() gives"
)


class _Line(msgspec.Struct):
    time: Annotated[float, msgspec.Meta(ge=-_LATEST, le=_LATEST)]
    key: int | str
    tier: Literal["memory", "redis"] | None
    group: Annotated[str, msgspec.Meta(max_length=_NAME)] = "-"
    size: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SIZE)] = 0
    cost: Annotated[float, msgspec.Meta(ge=0, le=_DEAREST)] = 0.0


_DECODER = msgspec.json.Decoder(_Line)


def accesses(log: LogLike, n: int | None = None) -> npt.NDArray[Any]:
    """The newest look-ups of a log, at most `n` of them, in the order of their times.

    log: the path of an access log, whose older files PATH.1, PATH.2 and so on belong to it (a path
        that ends in such a number is that file alone); a Cache, for what its accesses() gives; or
        such an array.
    n: None for all. A log of 256 MiB holds some 2.5 million look-ups, which take 25 bytes each
        while they are read and about 100 as an array.

    Of shape (m,), with the fields of Cache.accesses(): time (f8, seconds since the epoch), key (u8,
    its hash), group and tier (text; tier is "" for a miss), size (u4, bytes in memory) and cost
    (f4), both 0 for a miss. Without look-ups m is 0. A last line that is cut off, as in a log that
    is being written, is passed over; other lines that are no look-ups are skipped, with one
    warning. Raises ValueError where most lines of a file are none, TypeError or ValueError for
    another argument, OSError for a file that cannot be read.
    """
    most = _most(n)
    if isinstance(log, Cache):
        return log.accesses(n)
    if isinstance(log, np.ndarray):
        found = _checked(log)
    elif isinstance(log, (str, os.PathLike)):
        found = _read(Path(log), most)
    else:
        raise TypeError(f"log={shown(log)} is of type {type(log).__name__}: {_ALLOWED}")
    if len(found) and (found["time"][1:] < found["time"][:-1]).any():
        found = found[np.argsort(found["time"], kind="stable")]
    return found[max(len(found) - most, 0) :]


def _most(n: int | None) -> int:
    if n is None:
        return 2**63
    if type(n) is not int:
        raise TypeError(f"n={shown(n)} is of type {type(n).__name__}: allowed are None and an int")
    if n < 0:
        raise ValueError(f"n={n}: allowed are None and an int from 0 on")
    return n


def _checked(log: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if log.ndim != 1 or log.dtype.names is None or not set(FIELDS) <= set(log.dtype.names):
        raise TypeError(f"log of dtype {log.dtype} and shape {log.shape}: {_ALLOWED}")
    for name, kinds in _KINDS.items():
        if log.dtype[name].kind not in kinds:
            raise TypeError(f"log: field {name} of dtype {log.dtype[name]}: {_ALLOWED}")
    if not (np.abs(log["time"]) <= _LATEST).all():
        raise ValueError("log: field time: allowed are seconds from -1e11 to 1e11")
    return log


class _Reader:
    """What was read of one file: compact arrays; names of groups are shared among files."""

    def __init__(self, path: Path, names: dict[str, int]) -> None:
        self.path, self.names = path, names
        self.times, self.keys = array("d"), array("Q")
        self.groups, self.tiers = array("I"), array("B")
        self.sizes, self.costs = array("I"), array("f")
        self.skipped, self.why = 0, ""

    def read(self, file: IO[bytes]) -> None:
        first = 1
        for block in _blocks(file, self.path):
            self._take(block, first)
            first += block.count(b"\n")
        if self.skipped > len(self.keys):
            total = self.skipped + len(self.keys)
            raise ValueError(
                f"log={shown(str(self.path))}: {self.skipped} of {total} lines are no look-ups;"
                f" {self.why}"
            )

    def _take(self, block: bytes, first: int) -> None:
        try:
            lines = _DECODER.decode_lines(block)
            keys = array("Q", [_number(line.key) for line in lines])
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
            self._take_one_by_one(block, first)
        else:
            self._add(lines, keys)

    def _take_one_by_one(self, block: bytes, first: int) -> None:
        *whole, cut_off = block.split(b"\n")
        for number, text in enumerate([*whole, cut_off], first):
            try:
                lines = [_DECODER.decode(text)] if text.strip() else []
                self._add(lines, array("Q", [_number(line.key) for line in lines]))
            except (msgspec.DecodeError, UnicodeDecodeError, OverflowError) as error:
                if text is not cut_off:
                    self.skipped += 1
                    self.why = self.why or f"line {number}: {error}"

    def _add(self, lines: list[_Line], keys: array[int]) -> None:
        names = self.names
        self.keys.extend(keys)
        self.times.extend([line.time for line in lines])
        self.groups.extend([names.setdefault(line.group, len(names)) for line in lines])
        self.tiers.extend([_CODES[line.tier] for line in lines])
        self.sizes.extend([line.size for line in lines])
        self.costs.extend([line.cost for line in lines])


def _number(key: int | str) -> int:
    number = id_of(key)
    return number_of(number) if isinstance(number, str) else number


def _blocks(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """Whole lines, some MiB of them at once; the last one may lack its end."""
    rest = b""
    while block := file.read(_BLOCK):
        cut = block.rfind(b"\n") + 1
        if cut:
            yield rest + block[:cut]
            rest = block[cut:]
        else:
            rest += block
        if len(rest) > LONGEST_LINE:
            raise ValueError(
                f"log={shown(str(path))}: a line is longer than 1 MiB: allowed are lines of one"
                " look-up"
            )
    if rest:
        yield rest


def _read(path: Path, most: int) -> npt.NDArray[Any]:
    names: dict[str, int] = {}
    parts: list[_Reader] = []
    for name, file in _files(path):
        parts.append(_Reader(name, names))
        parts[-1].read(file)
        if sum(len(part.keys) for part in parts) >= most:
            break
    skipped = [part for part in parts if part.skipped]
    if skipped:
        told = "; ".join(f"{p.path}: {p.skipped:,} lines skipped, {p.why}" for p in skipped)
        warnings.warn(told, stacklevel=caller_level())
    return _joined(parts[::-1], list(names))


def _files(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """The files of a log, the newest first, each once, also where they are rotated meanwhile."""
    found = set[tuple[int, int]]()
    names = [path] if _ROTATED.fullmatch(path.suffix) else _names(path)
    for name in names:
        try:
            file = name.open("rb")
        except FileNotFoundError:
            if name is path:
                continue  # rotated, and nothing was looked up since
            break
        with file:
            state = os.fstat(file.fileno())
            if (state.st_dev, state.st_ino) not in found:
                found.add((state.st_dev, state.st_ino))
                yield name, file
    if not found:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))


def _names(path: Path) -> Iterator[Path]:
    yield path
    for age in count(1):
        yield path.with_name(f"{path.name}.{age}")


def _joined(parts: list[_Reader], names: list[str]) -> npt.NDArray[Any]:
    total = sum(len(part.keys) for part in parts)
    width = max((len(name) for name in names), default=1) or 1
    fields = [("time", "f8"), ("key", "u8"), ("group", f"U{width}"), ("tier", "U6")]
    out = np.empty(total, [*fields, ("size", "u4"), ("cost", "f4")])
    of_code = np.array(names or [""])
    end = 0
    for part in parts:
        rows = out[end : end + len(part.keys)]
        end += len(part.keys)
        rows["time"], rows["key"] = part.times, part.keys
        rows["group"] = of_code[np.asarray(part.groups, np.intp)]
        rows["tier"] = _TIERS[np.asarray(part.tiers, np.intp)]
        rows["size"], rows["cost"] = part.sizes, part.costs
    return out
