"""Where responses are kept: under their key, or where they vary by headers under a key for each.

Under the key of responses that vary is the record {"vary", "edition"}: names of headers, and what
the keys of all variants are made with. Without the record none of them is found, so what removes
that key removes them all.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from .._core import DEFAULT, MISSING, TieredCache
from .._flight import Flight as Watch
from .._flight import normal_key
from ..cache import Cache
from ..logs import tell
from ._asgi import Headers
from ._keys import variant_of
from ._recorder import Made
from ._response import Response

__all__ = ["Failures", "Place", "Shelf"]

_log = logging.getLogger(__name__)
_LOG_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class Record:
    """By which headers of requests the responses under a key vary."""

    names: list[bytes]
    edition: str

    @classmethod
    def stored(cls, value: Any) -> Record | None:
        """The record in a value of the cache, None for a value that is none."""
        if type(value) is not dict or "vary" not in value:
            return None
        return cls([name.encode() for name in value["vary"]], value["edition"])

    def plain(self) -> dict[str, Any]:
        return {"vary": [name.decode("latin-1") for name in self.names], "edition": self.edition}


@dataclass(slots=True)
class Place:
    """Where the response to a request is looked for; `key` is `main` unless responses vary.

    watch: tells whether the key was deleted or written since the making of a response began, which
    was at `moment` for one with tags. One without is not stored.
    """

    main: str
    key: str
    tags: tuple[bytes, ...] = ()
    record: Record | None = None
    response: Response | None = None
    watch: Watch | None = None
    moment: TieredCache.Moment | None = None


class Failures:
    """Logs what failed and reached no client, once a minute at most."""

    def __init__(self) -> None:
        self._next = 0.0

    def note(self, what: str, error: Exception) -> None:
        """The text of the error may hold anything, and is not logged."""
        now = monotonic()
        if now >= self._next:
            self._next = now + _LOG_EVERY
            tell(
                *(_log, logging.WARNING, "http_cache_failed"),
                "{step} failed with {error}: answered without it",
                step=what,
                error=type(error).__name__,
            )


class Shelf:
    """Responses in a cache. What fails there is a miss. Thread-safe."""

    def __init__(self, cache: Cache, ttl: float | None, failures: Failures) -> None:
        self._cache = cache
        self._core = cache._tiers
        self._ttl = ttl
        self._failures = failures

    async def find(self, key: str, tags: tuple[bytes, ...], headers: Headers) -> Place:
        place = Place(key, key, tags)
        try:
            value = await self._cache.aget(key, MISSING)
            place.record = Record.stored(value)
            if place.record is not None:
                place.key = self._variant(place.record, key, headers)
                value = await self._cache.aget(place.key, MISSING)
        except Exception as error:
            self._failures.note("the cache", error)
        else:
            place.response = Response.stored(value)
        return place

    async def begin(self, place: Place) -> None:
        """Called before the making of a response to be stored in `place`."""
        try:
            if place.tags:
                core = self._cache._on_loop.core
                place.moment = await core(self._core.begin, place.tags, self._ttl)
        except Exception as error:
            place.watch = None
            self._failures.note("the cache", error)

    @contextmanager
    def watching(self, place: Place) -> Iterator[None]:
        """As long as a response for `place` is made."""
        with self._cache._loader.flights.alone([normal_key(place.main)]) as (watch,):
            watch.work.tags = place.tags
            try:
                (watch.writes,) = self._core.watch_fills([place.main])
            except Exception as error:
                self._failures.note("the cache", error)
                yield
                return
            place.watch = watch
            try:
                yield
            finally:
                place.watch = None
                self._core.unwatch_fills([place.main])

    async def keep(self, place: Place, made: Made, headers: Headers, seconds: float) -> None:
        """Stores the response to a request with these headers, which took so long to make."""
        try:
            await self._cache._on_loop.core(self._write, place, made, headers, seconds)
        except Exception as error:
            self._failures.note("the cache", error)

    def is_outdated(self, place: Place) -> bool:
        """Whether the response that is being made for `place` was invalidated meanwhile."""
        return place.watch is not None and place.watch.forgotten

    def count_coalesced(self) -> None:
        self._core.count_coalesced(1)

    def _write(self, place: Place, made: Made, headers: Headers, seconds: float) -> None:
        if not self._is_newest(place):
            return
        record, key = self._record(place, made), place.main
        if record is not None:
            key = self._variant(record, place.main, headers)
        self._put(place, key, made.response.plain(), made.ttl, seconds)
        if record is not None and record is not place.record:
            self._put(place, place.main, record.plain(), made.ttl, 0.0)
        if not self._is_newest(place):  # what was stored meanwhile is not to outlast that
            for each in {key, place.main}:
                self._core.delete(each)

    def _put(self, place: Place, key: str, value: Any, ttl: float | None, seconds: float) -> None:
        if place.tags and self._ttl is not None:  # as long as its tags are kept
            ttl = self._ttl if ttl is None else min(ttl, self._ttl)
        self._core.put(key, value, ttl, DEFAULT, b"", 0.0, seconds, place.tags, place.moment)

    def _record(self, place: Place, made: Made) -> Record | None:
        """The record of what varies as `made` does: the one that is there, or a new one."""
        if not made.vary:
            return None
        if place.record is not None and place.record.names == made.vary:
            return place.record
        return Record(made.vary, secrets.token_hex(8))

    def _is_newest(self, place: Place) -> bool:
        watch = place.watch
        return (
            watch is not None
            and not watch.forgotten
            and self._core.is_unwritten(place.main, watch.writes)
        )

    def _variant(self, record: Record, key: str, headers: Headers) -> str:
        return variant_of(key, record.edition, record.names, headers, self._cache._digest)
