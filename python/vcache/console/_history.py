"""What access logs tell of a key."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ..cache import Cache

__all__ = ["History", "hash_of", "read_history"]

_AGES = 3  # PATH.1 to PATH.3


class _Line(msgspec.Struct):
    time: float
    tier: str | None = None
    size: int = 0


@dataclass
class History:
    """Look-ups of one key in one log; times are seconds since the epoch."""

    path: str
    hits: dict[str, int] = field(default_factory=dict)
    misses: int = 0
    first: float | None = None
    last: float | None = None
    last_tier: str | None = None
    last_hit: float | None = None
    last_hit_tier: str | None = None
    began: float | None = None  # the oldest line of any key
    error: str = ""

    @property
    def lookups(self) -> int:
        return sum(self.hits.values()) + self.misses

    def add(self, line: _Line) -> None:
        if line.tier is None:
            self.misses += 1
        else:
            self.hits[line.tier] = self.hits.get(line.tier, 0) + 1
            self.last_hit, self.last_hit_tier = line.time, line.tier
        self.first = line.time if self.first is None else self.first
        self.last, self.last_tier = line.time, line.tier


def hash_of(key: bytes, key_secret: bytes | str | None) -> int:
    """What stands in an access log for a key."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="vcache-") as folder:
        log = Path(folder) / "log"
        with Cache(memory="64KiB", access_log=log, key_secret=key_secret) as cache:
            cache.get(key)
            return int(cache.accesses()["key"][-1])


def read_history(path: str, key_hash: int) -> History:
    """Of a log and what was rotated from it, the oldest first. `error` says why it is not whole."""
    history = History(path)
    wanted = b'"key":"%016x"' % key_hash
    for age in range(_AGES, -1, -1):
        each = Path(f"{path}.{age}" if age else path)
        try:
            if not stat.S_ISREG(each.stat().st_mode):
                history.error = "no file"
                continue
            _read(each, wanted, history)
        except FileNotFoundError:
            history.error = history.error if age else "there is no such file"
        except OSError as error:
            history.error = error.strerror or type(error).__name__
    return history


def _read(path: Path, wanted: bytes, history: History) -> None:
    with path.open("rb") as lines:
        for line in lines:
            if history.began is None or wanted in line:
                try:
                    told = msgspec.json.decode(line, type=_Line)
                except msgspec.MsgspecError:
                    continue
                if history.began is None:
                    history.began = told.time
                if wanted in line:
                    history.add(told)
