"""What a cache must answer: a dict whose entries expire, bear tags, and stand in for a while."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vcache import MISSING
from vcache.durations import parse_ttl

# Glob patterns with the regular expressions that take the same keys.
PATTERNS = {"g:*": rb"g:.*", "[ab]": rb"[ab]", "?": rb".", "[^a]*": rb"[^a].*", "*": rb".*"}


@dataclass
class Entry:
    value: Any
    until: float | None
    tags: tuple[str, ...]
    metadata: dict[str, Any]


class Reference:
    """The entries of one namespace.

    memory_ttl: of the cache, where there is nothing below memory. is_timed: False where Redis keeps
    the time, which stands still in so short a test. grace: how long an expired value may stand in.
    """

    def __init__(self, *, memory_ttl: float | None, is_timed: bool, grace: float) -> None:
        self.now = 0.0
        self._memory_ttl = memory_ttl
        self._is_timed = is_timed
        self._grace = grace
        self._entries: dict[bytes, Entry] = {}
        self.known = set[bytes]()  # all keys there ever were
        self._ended = set[bytes]()  # by a tag, and maybe still counted where they are removed

    def put(
        self,
        key: Any,
        value: Any,
        ttl: Any,
        *,
        memory_ttl: Any = None,
        tags: Iterable[str] = (),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        until = self._until(ttl, memory_ttl)
        self._entries[normal(key)] = Entry(value, until, tuple(tags), metadata or {})
        self._ended.discard(normal(key))
        self.known.add(normal(key))

    def touch(self, key: Any, ttl: Any) -> None:
        self._entries[normal(key)].until = self._until(ttl, None)

    def entry(self, key: Any) -> Entry | None:
        entry = self._entries.get(normal(key))
        return None if entry is None or self._has_expired(entry) else entry

    def held(self, key: Any) -> Any:
        """What must be answered: a value, or MISSING."""
        entry = self.entry(key)
        return MISSING if entry is None else entry.value

    def standing_in(self, key: Any) -> Any:
        """What is answered where the factory fails: a value that is held or in its grace."""
        entry = self._entries.get(normal(key))
        if entry is None or (entry.until is not None and entry.until + self._grace <= self.now):
            return MISSING
        return entry.value

    def is_ended(self, key: Any) -> bool:
        """Whether a tag ended it, so that a removal may count it or not."""
        return normal(key) in self._ended

    def drop(self, key: Any) -> None:
        self._entries.pop(normal(key), None)
        self._ended.discard(normal(key))

    def drop_tags(self, tags: Iterable[str]) -> None:
        ended = {key for key, entry in self._entries.items() if not {*tags}.isdisjoint(entry.tags)}
        self._ended |= {key for key in ended if not self._has_expired(self._entries[key])}
        for key in ended:
            del self._entries[key]

    def drop_matching(self, pattern: str) -> tuple[int, int]:
        """The least and the most that may be counted."""
        takes = re.compile(PATTERNS[pattern], re.DOTALL).fullmatch
        taken = [key for key in self._entries if takes(key)]
        ended = [key for key in self._ended if takes(key)]
        least = sum(not self._has_expired(self._entries[key]) for key in taken)
        for key in taken:
            del self._entries[key]
        self._ended.difference_update(ended)
        return least, least + len(ended)

    def clear(self) -> None:
        self._entries.clear()
        self._ended.clear()

    def _until(self, ttl: Any, memory_ttl: Any) -> float | None:
        if not self._is_timed:
            return None
        lifetimes = [parse_ttl(ttl, "ttl"), parse_ttl(memory_ttl, "memory_ttl")]
        if memory_ttl is None:
            lifetimes.append(self._memory_ttl)
        ends = [self.now + seconds for seconds in lifetimes if seconds is not None]
        return min(ends) if ends else None

    def _has_expired(self, entry: Entry) -> bool:
        return entry.until is not None and entry.until <= self.now


def normal(key: Any) -> bytes:
    return key.encode() if isinstance(key, str) else bytes(key)


def assert_same(got: Any, wanted: Any) -> None:
    """Also that what was handed out cannot spoil what is cached."""
    if isinstance(wanted, np.ndarray):
        assert isinstance(got, np.ndarray)
        assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(got, wanted)
        assert not got.flags.writeable
        return
    wanted = list(wanted) if isinstance(wanted, tuple) else wanted  # as it is stored
    assert type(got) is type(wanted)
    assert got == wanted
    if isinstance(got, list):
        got.append("spoiled")
    elif isinstance(got, dict):
        got["spoiled"] = True
