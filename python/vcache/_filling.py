"""Storing what was computed, unless there is something newer under its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._arguments import Key, tag_list
from ._core import DEFAULT
from ._flight import Flight, Outcome
from ._freshness import PLAIN, Freshness
from .errors import RedisError
from .objects import stored_form

__all__ = ["Filler", "Moment", "Overtaken", "Rows", "Storing"]

Moment = _core.TieredCache.Moment

# One value for each key: a list, or an array of as many rows.
Rows = Sequence[Any] | NDArray[Any]


class Overtaken(Exception):
    """Raised by an `encode`: what it was made of has changed since, so that it is not stored."""


@dataclass(frozen=True, slots=True)
class Storing:
    """How computed values are stored, and how fresh they have to be.

    `encode` makes something that can be stored of one, `wanted` says whether to store it at all.
    `decode` reads it back: what it fails for is not stored, and is missing if it was. A `lenient`
    one hands out what cannot be stored as it is; else that raises. One `with_tags` may come to tags
    while it is made: these are `late_tags`, and what `depends_on` says of the value.
    """

    ttl: Any = DEFAULT
    cost: float = 0.0
    tags: tuple[bytes, ...] = ()
    encode: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None
    wanted: Callable[[Any], bool] | None = None
    lenient: bool = False
    freshness: Freshness = PLAIN
    with_tags: bool = False
    late_tags: tuple[bytes, ...] = ()
    depends_on: Callable[[Any], Any] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether all values are stored, as they are."""
        return self.encode is None and self.wanted is None and not self.lenient

    def tags_of(self, value: Any) -> tuple[bytes, ...]:
        """Raises TypeError or ValueError for what is no tag, and for too many."""
        known = self.tags + self.late_tags
        if self.depends_on is None:
            return known
        found = tag_list(self.depends_on(value), "depends_on", most=None)
        return tuple(tag_list([*known, *found]))

    def ttl_of(self, value: Any) -> Any:
        negative = self.freshness.negative_ttl
        return negative if value is None and negative is not None else self.ttl

    def can_read(self, stored: Any) -> bool:
        """Whether a stored value is one that callers can be given."""
        if self.decode is None:
            return True
        try:
            self.decode(stored_form(stored))
        except Exception:  # of a user's function, whatever it raises
            return False
        return True


class Filler:
    """Stores the results of flights, which open() prepares for that. Thread-safe."""

    def __init__(self, core: _core.TieredCache) -> None:
        self._core = core

    def open(self, flights: Sequence[Flight], keys: Sequence[Key]) -> None:
        """Has the core tell of each set() of the keys until close()."""
        for flight, writes in zip(flights, self._core.watch_fills(keys), strict=True):
            flight.writes = writes

    def close(self, keys: Sequence[Key]) -> None:
        self._core.unwatch_fills(keys)

    @contextmanager
    def watching(self, flights: Sequence[Flight], keys: Sequence[Key]) -> Iterator[None]:
        """As open(), for the length of a block."""
        self.open(flights, keys)
        try:
            yield
        finally:
            self.close(keys)

    def begin(self, storing: Storing) -> Moment:
        """The moment by which values with tags are judged that are made from now on."""
        negative = storing.freshness.negative_ttl
        if negative is not None:  # tags are kept for the longer of the two
            self._core.begin(storing.tags, negative)
        return self._core.begin(storing.tags, storing.ttl)

    def put(
        self,
        keys: list[Key],
        values: Rows,
        storing: Storing,
        seconds: float,
        flights: list[Flight],
        made: Moment | None,
    ) -> list[Outcome]:
        """Stores values but those under whose key there is something newer.

        made: when the making of values with tags began; these are stored one at a time.
        """
        if len(keys) == 1 or storing.tags or storing.late_tags or storing.depends_on:
            triples = zip(keys, values, flights, strict=True)
            return [self.put_one(k, v, storing, seconds, f, made) for k, v, f in triples]
        outcomes = None
        if not storing.is_plain:
            values, outcomes = self._ready(values, storing)
        stored = [i for i in range(len(keys)) if outcomes is None or outcomes[i].stored]
        kept = [i for i in stored if self._is_newest(keys[i], flights[i])]
        try:
            self._write_some(kept, keys, values, storing, seconds)
        except (TypeError, ValueError):
            if outcomes is None:
                raise
            for i in kept:
                outcomes[i] = self._put_or_refuse(keys[i], values[i], outcomes[i], storing, seconds)
        for index in kept:
            self._withdraw_older(keys[index], flights[index])
        return outcomes or [Outcome(form) for form in _stored_forms(values)]

    def _ready(self, values: Rows, storing: Storing) -> tuple[list[Any], list[Outcome]]:
        """What is to be stored of each value, and what becomes of it."""
        plains, outcomes = [], []
        for value in values:
            plain, refused = value, None
            stored = storing.wanted is None or storing.wanted(value)
            try:
                plain = self._encoded(value, storing) if stored else value
                form = stored_form(plain) if stored else value
            except Exception as error:
                if not storing.lenient:
                    raise
                stored, form, refused = False, value, error
            plains.append(plain)
            outcomes.append(Outcome(form, stored=stored, refused=refused))
        return plains, outcomes

    def _put_or_refuse(
        self, key: Key, plain: Any, outcome: Outcome, storing: Storing, seconds: float
    ) -> Outcome:
        try:
            self._core.put(key, plain, storing.ttl_of(plain), DEFAULT, b"", storing.cost, seconds)
        except (TypeError, ValueError) as error:  # such as a value over the cache's `max_value`
            return outcome._replace(stored=False, refused=error)
        return outcome

    def _encoded(self, value: Any, storing: Storing) -> Any:
        plain = value if storing.encode is None else storing.encode(value)
        if storing.decode is not None:
            storing.decode(stored_form(plain))
        return plain

    def put_one(
        self,
        key: Key,
        value: Any,
        storing: Storing,
        seconds: float,
        flight: Flight,
        made: Moment | None = None,
    ) -> Outcome:
        if storing.wanted is not None and not storing.wanted(value):
            return Outcome(value, stored=False)
        try:
            plain, tags = self._encoded(value, storing), storing.tags_of(value)
            ttl = storing.ttl_of(value)
            keep = self._is_newest(key, flight)
            if keep:
                self._know(tags[len(storing.tags) :], ttl)
                moment = made if tags else None
                self._core.put(key, plain, ttl, DEFAULT, b"", storing.cost, seconds, tags, moment)
            late = tags if len(tags) > len(storing.tags) else ()
            outcome = Outcome(stored_form(plain), tags=late)
        except RedisError:
            raise
        except Overtaken:
            return Outcome(value, stored=False)
        except Exception as error:
            if not storing.lenient:
                raise
            return Outcome(value, stored=False, refused=error)
        if keep:
            self._withdraw_older(key, flight)
        return outcome

    def _know(self, late: tuple[bytes, ...], ttl: Any) -> None:
        """Has Redis know tags that were not yet named when the making began."""
        if late:
            self._core.begin(late, ttl)

    def replace(
        self,
        keys: list[Key],
        values: Rows,
        storing: Storing,
        seconds: float,
        flights: list[Flight],
        made: Moment | None,
    ) -> list[Outcome]:
        """As put(); what is there leaves also where a value is not to be stored."""
        outcomes = self.put(keys, values, storing, seconds, flights, made)
        for key, flight, outcome in zip(keys, flights, outcomes, strict=True):
            if not outcome.stored and self._is_newest(key, flight):
                self._core.delete(key)
        return outcomes

    def _is_newest(self, key: Key, flight: Flight) -> bool:
        """Whether nothing was written or deleted under the key since it was claimed.

        All calls but set() have the flight forgotten before they write; of set() the core tells.
        """
        return not flight.forgotten and self._core.is_unwritten(key, flight.writes)

    def _withdraw_older(self, key: Key, flight: Flight) -> None:
        """What was stored while its key was deleted or written is not to outlast that."""
        if not self._is_newest(key, flight):
            self._core.delete(key)

    def _write_some(
        self, kept: list[int], keys: list[Key], values: Rows, storing: Storing, seconds: float
    ) -> None:
        """Writes values of those indexes, each with its time to live."""
        negative: list[int] = []
        if storing.freshness.negative_ttl is not None and not isinstance(values, np.ndarray):
            negative = [index for index in kept if values[index] is None]
            kept = [index for index in kept if values[index] is not None]
        self._write(kept, keys, values, storing.ttl, storing.cost, seconds)
        self._write(negative, keys, values, storing.ttl_of(None), storing.cost, seconds)

    def _write(
        self,
        kept: list[int],
        keys: list[Key],
        values: Rows,
        ttl: Any,
        cost: float,
        seconds: float,
    ) -> None:
        if not kept:
            return
        if len(kept) < len(keys):
            values = values[kept] if isinstance(values, np.ndarray) else [values[i] for i in kept]
            keys = [keys[index] for index in kept]
        if isinstance(values, np.ndarray) and values.ndim == 2:
            self._core.set_vectors(keys, values, ttl, DEFAULT, cost, seconds)
        else:
            self._core.mput(keys, list(values), ttl, DEFAULT, cost, seconds)


def _stored_forms(values: Rows) -> list[Any]:
    if isinstance(values, np.ndarray):
        return list(stored_form(values))
    return [stored_form(value) for value in values]
