"""The accesses that a running service writes to its log, as they come."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
import numpy.typing as npt

from ..sim._lines import LONGEST_LINE, Access, number_of
from ..sim._trace import LARGEST_SIZE, Trace

__all__ = ["AccessLog", "Accesses"]

_AT_ONCE = 1 << 22  # bytes


class AccessLog:
    """A file of lines that grows, and over which another is put now and then: PATH becomes PATH.1,
    PATH.1 becomes PATH.2 and so on. Not thread-safe.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError where it cannot be read."""
        self._path = path
        self._file: IO[bytes] = path.open("rb")
        self._rest, self._is_too_long = b"", False
        self.cut = 0
        """Lines that were too long, or had no end when the file was left."""

    def close(self) -> None:
        self._file.close()

    def lines(self) -> list[bytes]:
        """The next whole lines, up to some megabytes; none where there are none yet."""
        while data := self._read():
            *whole, self._rest = (self._rest + data).split(b"\n")
            if self._is_too_long and whole:
                whole, self._is_too_long = whole[1:], False
            if len(self._rest) > LONGEST_LINE:
                self._leave_line(too_long=True)
            if lines := [line for line in whole if line.strip()]:
                return lines
        return []

    def _read(self) -> bytes:
        data = self._file.read(_AT_ONCE)
        if data:
            return data
        if os.fstat(self._file.fileno()).st_size < self._file.tell():  # it was emptied
            self._file.seek(0)
            self._leave_line()
            return self._file.read(_AT_ONCE)
        newer = self._newer()
        if newer is None:
            return b""
        data = self._file.read(_AT_ONCE)  # written before the other was put there
        if data:
            return data
        try:
            file = newer.open("rb")
        except FileNotFoundError:  # it is moved on at this moment
            return b""
        self._leave_line()
        self._file.close()
        self._file = file
        return file.read(_AT_ONCE)

    def _leave_line(self, *, too_long: bool = False) -> None:
        self.cut += bool(self._rest) and not self._is_too_long
        self._rest, self._is_too_long = b"", too_long

    def _newer(self) -> Path | None:
        """The file that follows the one that is read; None while that is the newest."""
        mine, later = os.fstat(self._file.fileno()), None
        for number in range(10_000):
            path = self._path if number == 0 else Path(f"{self._path}.{number}")
            try:
                found = path.stat()
            except FileNotFoundError:
                if number == 0:
                    return None
                break
            if os.path.samestat(mine, found):
                return later
            later = path
        return later  # the file was removed: the oldest that is left


class Accesses:
    """Makes traces of lines, and remembers what they say of keys. Not thread-safe.

    An access without a size or cost, as one that missed is, has what its key had last, and before
    that the mean of all that are known. Without any it is a size of 1 and no cost.
    """

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Access).decode
        self._sizes, self._costs = _Known(), _Known()
        self.skipped = 0

    def trace_of(self, lines: list[bytes]) -> Trace | None:
        """None where no line is an access."""
        ids, sizes, costs = list[int](), list[float](), list[float]()
        for line in lines:
            try:
                access = self._decode(line)
                key = access.key if isinstance(access.key, int) else number_of(access.key)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.skipped += 1
                continue
            if not 0 <= key < 2**64:
                self.skipped += 1
                continue
            ids.append(key)
            sizes.append(self._sizes.filled(key, access.size))
            costs.append(self._costs.filled(key, access.cost))
        return self._trace(ids, sizes, costs) if ids else None

    def _trace(self, ids: list[int], sizes: list[float], costs: list[float]) -> Trace:
        bytes_of: npt.NDArray[np.float64] = np.array(sizes, np.float64)
        known = np.where(bytes_of > 0, np.rint(bytes_of), 1)
        return Trace(
            np.array(ids, np.uint64),
            np.minimum(known, LARGEST_SIZE).astype(np.uint32),
            costs=np.array(costs, np.float32),
        )


class _Known:
    """The newest known number of each key."""

    def __init__(self) -> None:
        self._of_key = dict[int, float]()
        self._sum = 0.0

    def filled(self, key: int, number: float | None) -> float:
        """`number` if it is known, which 0 is not."""
        if not number:
            mean = self._sum / len(self._of_key) if self._of_key else 0.0
            return self._of_key.get(key, mean)
        self._sum += number - self._of_key.get(key, 0.0)
        self._of_key[key] = number
        return number
