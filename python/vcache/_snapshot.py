"""What memory holds, kept in a file from one process to the next."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from . import _core
from ._callers import OnLoop
from ._config import Config
from ._messages import shown
from .errors import ConfigError

__all__ = ["RestoreReport", "SnapshotCalls", "SnapshotReport"]

_SKIPPED = ("expired", "newer", "no_room", "gone", "unconfirmed")

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class SnapshotReport:
    """What snapshot() wrote."""

    path: str
    entries: int
    bytes: int
    """Of the file."""
    seconds: float
    gone: int
    """Entries that left memory, or whose time was over, before their turn came."""


@dataclass(frozen=True)
class RestoreReport:
    """What restore() read."""

    path: str
    entries: int
    """That are in memory now."""
    bytes: int
    """Of their values."""
    seconds: float
    confirmed: int
    """Of the entries: those whose values came from Redis."""
    unverified: int
    """Of the entries: those kept though Redis gave no answer, to be served while it gives none."""
    skipped: dict[str, int]
    """How many were not restored, by reason: "expired"; "newer": memory had one made no earlier;
    "no_room": at least so many, since what lies behind is not read; "gone": Redis has it no more,
    or it was invalidated; "unconfirmed": Redis gave no answer."""
    damage: str | None
    """Where the file is cut or altered, and how. What lies before was restored. None: it is whole,
    as far as it was read."""

    @property
    def complete(self) -> bool:
        """Whether the file was found whole."""
        return self.damage is None


class SnapshotCalls:
    """Calls that write memory to a file and read it back."""

    _tiers: _core.TieredCache
    _config: Config

    def snapshot(self, path: Path) -> SnapshotReport:
        """Writes what memory holds to the file `path`, hottest first; returns what it wrote.

        The file is readable for its owner alone, and appears whole or not at all, in place of an
        older one. Other calls go on meanwhile; each entry is written as it is when its turn comes.
        With it go its remaining lifetime, tags, metadata, cost and what the policy knows of it.
        Values and metadata are encrypted where the cache has an `encryption_key`, keys are not.

        Raises OSError where the file cannot be written, and ConfigError for a cache without memory.
        """
        name = self._path(path)
        started = perf_counter()
        done = self._tiers.save_snapshot(os.fsencode(name), self._packing())
        return SnapshotReport(path=name, seconds=perf_counter() - started, **done)

    def restore(self, path: Path, *, keep_unconfirmed: bool = False) -> RestoreReport:
        """Takes over what snapshot() wrote to the file `path`; returns what came of it.

        The hottest come first, and nothing is evicted for them: a smaller memory has the best of
        them. Lifetimes go on by the wall clock, also while no process ran. An entry that memory
        has already stays unless the one in the file was made later.

        With Redis, only keys are taken from the file: their values are fetched, with the lifetimes
        that they have there, so that nothing is served that was changed or invalidated meanwhile.
        Of keys that Redis gives no answer for nothing is restored; with `keep_unconfirmed` the
        values of the file are kept unverified, served only while Redis gives no answer, as what
        memory holds when Redis goes away is.
        Without Redis nothing tells of changes: what was deleted since comes back with the file, but
        for what this very cache ended by invalidate_tags().

        A file that was cut or altered is restored up to there, and the report says so. Raises
        SnapshotError, and restores nothing, for a file that is no snapshot, of another namespace,
        of a later version, encrypted otherwise than this cache is, or of a cache with Redis where
        this one has none; OSError for one that cannot be read; ConfigError for a cache without
        memory.
        """
        name = self._path(path)
        if not isinstance(keep_unconfirmed, bool):
            raise TypeError(
                f"keep_unconfirmed={shown(keep_unconfirmed)}: allowed are True and False"
            )
        started = perf_counter()
        done = self._tiers.restore_snapshot(os.fsencode(name), self._packing(), keep_unconfirmed)
        return _report(name, perf_counter() - started, done)

    async def asnapshot(self, path: Path) -> SnapshotReport:
        """Twin of snapshot(). A caller who is cancelled ends it no earlier."""
        return await OnLoop(offload=True).to_the_end(self.snapshot, path)

    async def arestore(self, path: Path, *, keep_unconfirmed: bool = False) -> RestoreReport:
        """Twin of restore(). A caller who is cancelled ends it no earlier."""
        call = partial(self.restore, path, keep_unconfirmed=keep_unconfirmed)
        return await OnLoop(offload=True).to_the_end(call)

    def _path(self, path: Path) -> str:
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
            raise TypeError(f"path={shown(path)}: allowed is the path of a file")
        name = os.fsdecode(os.fspath(path))
        if "\0" in name:
            raise ValueError(f"path={shown(path)}: allowed is the path of a file")
        if self._config.memory == 0:
            raise ConfigError("memory=0: a cache without memory has nothing to keep in a file")
        return name

    def _packing(self) -> _core.Packing:
        keys: Any = self._config.encryption_key
        return _core.Packing(compression="none", storage_dtype=None, encryption_keys=keys)


def _report(path: str, seconds: float, done: dict[str, Any]) -> RestoreReport:
    return RestoreReport(
        path=path,
        seconds=seconds,
        entries=done["entries"],
        bytes=done["bytes"],
        confirmed=done["confirmed"],
        unverified=done["unverified"],
        skipped={reason: done[reason] for reason in _SKIPPED},
        damage=done["damage"] or None,
    )
