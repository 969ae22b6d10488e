"""Vectors of the queries that a function has answered, by the parameters they share.

An index says which keys are near; whether there is still a value under one, the cache says. Indexes
are of one process. Thread-safe.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._background import workers
from ._hnsw import Hnsw, has_hnsw
from ._locks import ForkLock

__all__ = ["Indexes", "Near", "Query"]

FLAT_VECTORS = (
    20_000  # of one index, above which the older ones are in an HNSW graph if there is one
)
_ENTRY_BYTES = 250  # of a key and its place, beside the text of the key
_INDEX_BYTES = 2048  # of an index without vectors
_NEVER = 2**63  # more than any id


class Query(NamedTuple):
    """One call: what it shares with those that may answer it, its vector, and what of its text."""

    parameters: str
    vector: NDArray[np.float64]
    gist: bytes


class Near(NamedTuple):
    """A query that was answered, and how near it is: its cosine similarity."""

    key: str
    gist: bytes
    similarity: float


class _Index:
    """The queries of one set of parameters. Over `max_bytes` the oldest leave."""

    def __init__(self, width: int, max_bytes: int) -> None:
        row = _row_bytes(width)
        most = max_bytes // (row + 2 * _ENTRY_BYTES)
        self._flat = _core.FlatIndex(width=width, max_bytes=most * row)
        self._graph = Hnsw(width) if most > FLAT_VECTORS and has_hnsw() else None
        self._graph_most = most - FLAT_VECTORS
        self._entries: dict[int, tuple[str, bytes]] = {}  # by id, the oldest first
        self._ids: dict[str, int] = {}
        self._kept = 0  # bytes of the entries
        self._kept_most = most * 2 * _ENTRY_BYTES
        self._settler = 0  # the process in which a thread does so
        self._lock = ForkLock()

    @property
    def memory_bytes(self) -> int:
        graph = 0 if self._graph is None else self._graph.memory_bytes
        return int(_INDEX_BYTES + self._flat.memory_bytes + graph + self._kept)

    def add(self, key: str, query: Query) -> None:
        """As the newest one, unless it is there."""
        if key in self._ids:
            return
        number = self._flat.add(query.vector)
        if number is None:  # zeros, which are near to nothing
            return
        with self._lock:
            is_new = self._ids.setdefault(key, number) == number
            if is_new:
                self._entries[number] = (key, query.gist)
                self._kept += _size_of(key, query.gist)
        if not is_new:
            self._flat.remove(number)
        self._settle()

    def near(self, vector: NDArray[np.float64], at_least: float, most: int) -> list[Near]:
        found = self._flat.nearest(vector, at_least=at_least, most=most)
        if self._graph:
            older = self._graph.nearest(vector, at_least, most)
            found = sorted([*found, *older], key=lambda each: -each[1])[:most]
        entries = ((self._entries.get(number), similarity) for number, similarity in found)
        return [Near(*entry, similarity) for entry, similarity in entries if entry is not None]

    def drop(self, key: str) -> None:
        number = self._ids.get(key)
        if number is not None:
            self._leave(number)

    def _settle(self) -> None:
        """Forgets what has left; what moves into the graph, which takes long, others move."""
        if self._graph is None or len(self._flat) <= FLAT_VECTORS:
            self._in_turn(self._forget)
        elif self._settler != os.getpid():
            workers.submit(partial(self._in_turn, self._fill))

    def _in_turn(self, work: Callable[[], None]) -> None:
        """One thread at a time; what others would do meanwhile is left to the next call."""
        with self._lock:
            if self._settler == os.getpid():
                return
            self._settler = os.getpid()
        try:
            work()
        finally:
            self._settler = 0

    def _forget(self) -> None:
        while self._kept > self._kept_most:  # of long texts
            self._leave(self._oldest())
        while (oldest := self._oldest()) < self._flat.oldest:
            if self._graph and oldest in self._graph:
                return
            self._leave(oldest)

    def _fill(self) -> None:
        graph = self._graph
        if graph is not None and not graph.can_grow():
            self._graph = graph = None
        while graph is not None and len(self._flat) > FLAT_VECTORS:
            graph.add(*self._flat.take_oldest())
            for _ in range(len(graph) - self._graph_most):
                self._leave(self._oldest())
        self._forget()

    def _oldest(self) -> int:
        with self._lock:
            return next(iter(self._entries), _NEVER)

    def _leave(self, number: int) -> None:
        with self._lock:
            key, gist = self._entries.pop(number, ("", b""))
            if self._ids.get(key) == number:
                del self._ids[key]
                self._kept -= _size_of(key, gist)
        if not self._flat.remove(number) and self._graph:
            self._graph.remove(number)


class Indexes:
    """The indexes of one function, in `max_bytes`; those that were not used the longest leave."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._indexes: dict[tuple[str, int], _Index] = {}  # the last used last
        self._sizes: dict[tuple[str, int], int] = {}
        self._bytes = 0
        self._lock = ForkLock()

    @property
    def memory_bytes(self) -> int:
        return self._bytes

    def add(self, key: str, query: Query) -> None:
        index = self._of(query, make=True)
        if index is not None:
            index.add(key, query)
            self._fit(_name(query), index)

    def near(self, query: Query, at_least: float, most: int) -> list[Near]:
        """Answered queries with the same parameters, the nearest first."""
        index = self._of(query)
        return [] if index is None else index.near(query.vector, at_least, most)

    def drop(self, key: str, query: Query) -> None:
        """Of what `query` was near to: there is no value under that key any more."""
        index = self._of(query)
        if index is not None:
            index.drop(key)

    def clear(self) -> None:
        with self._lock:
            self._indexes, self._sizes, self._bytes = {}, {}, 0

    def _of(self, query: Query, *, make: bool = False) -> _Index | None:
        name = _name(query)
        with self._lock:
            index = self._indexes.pop(name, None)
            if index is None:
                if not make:
                    return None
                index = _Index(len(query.vector), self._max_bytes)
            self._indexes[name] = index
        return index

    def _fit(self, name: tuple[str, int], index: _Index) -> None:
        with self._lock:
            if self._indexes.get(name) is not index:  # it has left meanwhile
                return
            size = index.memory_bytes
            self._bytes += size - self._sizes.get(name, 0)
            self._sizes[name] = size
            while self._bytes > self._max_bytes and len(self._indexes) > 1:
                oldest = next(iter(self._indexes))
                if oldest == name:
                    return
                del self._indexes[oldest]
                self._bytes -= self._sizes.pop(oldest, 0)


def _name(query: Query) -> tuple[str, int]:
    return query.parameters, len(query.vector)


def _row_bytes(width: int) -> int:
    return 4 * (width + -width % 64) + 8


def _size_of(key: str, gist: bytes) -> int:
    return _ENTRY_BYTES + len(key) + len(gist)
