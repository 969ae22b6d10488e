"""A record with a version that several processes agree on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from ._locks import ForkLock
from ._messages import shown
from ._shared_state import MOST, SharedState
from .errors import ConfigError, RedisError

__all__ = ["NO_ANSWER", "Agreed", "Versioned", "name_option", "why_option"]

NO_ANSWER = (RedisError, OSError)
"""What is raised where nobody says what the record is."""

_TRIES = 8
_MOST_NAME, _MOST_WHY = 64, 500  # characters


class Versioned(Protocol):
    """Such a record: a msgspec.Struct, whose version grows with each change."""

    @property
    def version(self) -> int: ...


K = TypeVar("K", bound=Versioned)


class Agreed(Generic[K]):
    """The newest version that is known of a record. Thread-safe; no lock is held while it is asked.

    store: where it is. kind: its type. what: its name in errors.
    first: makes that with which it begins. check: raises ConfigError for one that is not allowed.
    on_news: gets each newer one, and the one before it, None for the first; it may call back.

    A record that was lost, or is older than what is known here, is written again. Its calls raise
    RedisError or OSError for no answer, and ConfigError for a record that is refused.
    """

    def __init__(
        self,
        store: SharedState,
        kind: type[K],
        what: str,
        *,
        first: Callable[[], K],
        check: Callable[[K], None],
        on_news: Callable[[K, K | None], None],
    ) -> None:
        self._store, self._kind, self._what = store, kind, what
        self._first, self._check, self._on_news = first, check, on_news
        self._lock = ForkLock()
        self.newest: K | None = None

    def refresh(self) -> None:
        """Takes over the newest."""
        self._take(self._read()[1])

    def change(self, make: Callable[[K], K | None]) -> bool:
        """Writes what `make` makes of the newest; False where it makes nothing of it."""
        for _ in range(_TRIES):
            found, kept = self._read()
            made = make(kept)
            if made is None:
                self._take(kept)
                return False
            if self._store.replace(found, msgspec.json.encode(made)):
                self._take(made)
                return True
        raise self._too_busy()

    def _read(self) -> tuple[bytes, K]:
        """What is there, and the newest that is known; writes that where it is not."""
        for _ in range(_TRIES):
            found = self._store.read()
            kept, mine = self._decoded(found), self.newest
            if kept is not None and (mine is None or kept.version >= mine.version):
                return found, kept
            newest = mine or self._first()
            data = msgspec.json.encode(newest)
            if self._store.replace(found, data):
                return data, newest
        raise self._too_busy()

    def _decoded(self, data: bytes) -> K | None:
        if not data:
            return None
        if len(data) >= MOST:
            raise ConfigError(f"{self._what} is refused: it is longer than {MOST:,} bytes")
        try:
            kept = msgspec.json.decode(data, type=self._kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self._what} is refused: {error}") from None
        self._check(kept)
        return kept

    def _take(self, kept: K) -> None:
        with self._lock:
            before = self.newest
            if before is not None and kept.version <= before.version:
                return
            self.newest = kept
        self._on_news(kept, before)

    def _too_busy(self) -> OSError:
        return OSError(f"{self._what} changes all the time")


def name_option(given: object) -> str:
    """The name of a record, by which processes find it. Raises ConfigError."""
    return _text(given, "name", _MOST_NAME)


def why_option(given: object) -> str:
    """What a change is for, which its event tells. Raises ConfigError."""
    return _text(given, "why", _MOST_WHY)


def _text(given: object, name: str, most: int) -> str:
    if not isinstance(given, str) or not given.isprintable() or not 1 <= len(given) <= most:
        allowed = f"allowed is printable text of 1 to {most} characters"
        raise ConfigError(f"{name}={shown(given)}: {allowed}")
    return given
