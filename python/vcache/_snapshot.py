"""What memory holds, kept in a file from one process to the next."""

from __future__ import annotations

import os
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from . import _core
from ._messages import shown
from .errors import ConfigError

__all__ = ["Path", "RestoreReport", "SnapshotReport", "load", "save"]

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


def save(cache: Any, path: Path) -> SnapshotReport:
    """As Cache.snapshot()."""
    name = _checked(cache, path)
    started = perf_counter()
    done = cache._tiers.save_snapshot(os.fsencode(name), _packing(cache))
    return SnapshotReport(path=name, seconds=perf_counter() - started, **done)


def load(cache: Any, path: Path, keep_unconfirmed: bool) -> RestoreReport:
    """As Cache.restore()."""
    name = _checked(cache, path)
    if not isinstance(keep_unconfirmed, bool):
        raise TypeError(f"keep_unconfirmed={shown(keep_unconfirmed)}: allowed are True and False")
    started = perf_counter()
    done = cache._tiers.restore_snapshot(os.fsencode(name), _packing(cache), keep_unconfirmed)
    return _report(name, perf_counter() - started, done)


def _checked(cache: Any, path: Path) -> str:
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise TypeError(f"path={shown(path)}: allowed is the path of a file")
    name = os.fsdecode(os.fspath(path))
    if "\0" in name:
        raise ValueError(f"path={shown(path)}: allowed is the path of a file")
    if cache._config.memory == 0:
        raise ConfigError("memory=0: a cache without memory has nothing to keep in a file")
    return name


def _packing(cache: Any) -> _core.Packing:
    keys = cache._config.encryption_key
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
