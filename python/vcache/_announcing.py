"""How other processes see a cache: it leaves its figures on a board, and answers questions.

A record is the 16 letters of who wrote it, then MessagePack. Each cache keeps to one of the slots
of the board; where it finds another's record there it moves on, so two that chose one at once part
at their next heartbeat. What it wrote ends by itself soon after it stops.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ._boards import ASK, SLOTS, Board, FolderBoard, RedisBoard, slot_name
from ._ticker import Recurring, Ticker, ticker
from .errors import ConfigError, RedisError
from .logs import tell
from .stats import Stats

if TYPE_CHECKING:
    from ._config import Config
    from ._reporting import Reporting

__all__ = ["HEARTBEAT", "MARK", "MOST_RECORD", "Announcement", "Question"]
__all__ += ["announce", "encoded", "record_of"]

HEARTBEAT = 5.0  # seconds
LIFETIME = 3 * HEARTBEAT
LOOK = 1.0  # from one look for a question to the next, seconds
MARK = 16  # letters
MOST_RECORD = 32 << 10  # bytes
_MOST_QUESTION = 4096
_MOST_GROUPS = 16
_PROBES = 8  # slots looked at in one heartbeat

_log = logging.getLogger("vcache.announce")


class Question(msgspec.Struct, frozen=True):
    """What somebody wants to know: figures now, and of a key whether it is in memory."""

    id: str
    key: bytes | None = None


class Announcement:
    """The records of one cache, which it does not keep alive. Its ticks come from one thread."""

    _slot: int | None

    def __init__(
        self,
        cache: Reporting,
        board: Board,
        about: dict[str, Any],
        *,
        ticker: Ticker = ticker,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cache = weakref.ref(cache)
        self._board = board
        self._about = about
        self._ticker = ticker
        self._clock = clock
        self._failed = ""
        self._recurring: Recurring | None = None
        self._begin()

    def start(self, *, until_exit: bool = False) -> None:
        """`until_exit`: the end of the interpreter takes the record back as well."""
        self._recurring = self._ticker.add(self._tick, LOOK)
        if until_exit:
            atexit.register(self.stop)

    def stop(self) -> None:
        """Takes the record back, if the board can be reached."""
        atexit.unregister(self.stop)
        if self._recurring is not None:
            self._ticker.remove(self._recurring)
        if self._slot is not None and self._pid == os.getpid():
            try:
                if self._is_mine(self._slot):
                    self._board.erase(slot_name(self._slot))
            except (RedisError, OSError, ConfigError):
                pass  # it ends by itself
            self._slot = None

    def _begin(self) -> None:
        """Of this process, which may be a child of that where it was made."""
        self._pid = os.getpid()
        self._mark = secrets.token_hex(MARK // 2)
        self._started = self._clock()
        self._slot = None
        self._next = 0.0
        self._answered = ""

    def _tick(self) -> None:
        cache = self._cache()
        if cache is None:
            self.stop()
            return
        if self._pid != os.getpid():
            self._begin()
        try:
            self._look(cache)
            self._failed = ""
        except (RedisError, OSError, ConfigError) as error:
            self._note(error)

    def _look(self, cache: Reporting) -> None:
        question = _question(self._board.read(ASK, _MOST_QUESTION))
        is_asked = question is not None and (question.key is None or question.id != self._answered)
        if is_asked or self._clock() >= self._next:
            self._publish(cache, question)
            self._next = self._clock() + HEARTBEAT
            self._answered = "" if question is None else question.id

    def _publish(self, cache: Reporting, question: Question | None) -> None:
        slot = self._place()
        if slot is None:
            raise ConfigError(f"announce=True: all {SLOTS} places of the namespace seem taken")
        answer = None if question is None else _answer(cache, question)
        record = record_of(cache.stats(), self._about, self._started, self._clock(), answer)
        self._board.write(slot_name(slot), encoded(self._mark, record), LIFETIME)
        self._slot = slot

    def _place(self) -> int | None:
        first = int(self._mark, 16) if self._slot is None else self._slot
        for probe in range(_PROBES):
            slot = (first + probe) % SLOTS
            if self._is_mine(slot, or_free=True):
                return slot
        return None

    def _is_mine(self, slot: int, *, or_free: bool = False) -> bool:
        found = self._board.read(slot_name(slot), MARK)
        return found == self._mark.encode() or (or_free and not found)

    def _note(self, error: Exception) -> None:
        kind = type(error).__name__
        if kind != self._failed:
            self._failed = kind
            tell(
                *(_log, logging.WARNING, "report_failed"),
                "a cache could not be announced: {error}; it is tried again",
                of="announce",
                error=kind,
            )


def announce(cache: Reporting, config: Config) -> Announcement:
    """One that has begun, on the board of the cache's Redis, or without Redis of this user."""
    name, is_local = config.namespace, config.redis is None
    board: Board = FolderBoard(name) if is_local else RedisBoard(cache._tiers)
    announcement = Announcement(cache, board, about_of(config))
    announcement.start(until_exit=is_local)  # where that waits for no server
    return announcement


def about_of(config: Config) -> dict[str, Any]:
    """What does not change: who and where the cache is, how it is made. No secret is in it."""
    return {
        "namespace": config.namespace,
        "host": os.uname().nodename,
        "program": Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "",
        "memory_limit": config.memory,
        "ttl": config.ttl,
        "memory_ttl": None if config.adaptive_ttl else config.memory_ttl,  # by use: not known
        "grace": config.grace,
        "promotion_threshold": config.promotion_threshold,
        "admits_all": config.admit is None,
        "access_log": config.access_log,
        "redis": None if config.redis is None else config.redis.address,
    }


def record_of(
    stats: Stats,
    about: dict[str, Any],
    started: float,
    now: float,
    answer: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What others see of a cache; of its groups the busiest."""
    figures = asdict(stats)
    figures["groups"] = dict(list(figures["groups"].items())[:_MOST_GROUPS])
    return about | {
        "version": 1,
        "pid": os.getpid(),
        "started": started,
        "written": now,
        "heartbeat": HEARTBEAT,
        "answer": answer,
        "stats": figures,
    }


def encoded(mark: str, record: dict[str, Any]) -> bytes:
    """A record as bytes, without what would make it too long."""
    data = mark.encode() + msgspec.msgpack.encode(record)
    for part in ("groups", "latency", "policy", "redis"):
        if len(data) <= MOST_RECORD:
            break
        figures = record["stats"] | {part: {}}
        record = record | {"stats": figures}
        data = mark.encode() + msgspec.msgpack.encode(record)
    return data


def _question(data: bytes) -> Question | None:
    try:
        return msgspec.msgpack.decode(data, type=Question) if data else None
    except msgspec.MsgspecError:  # anybody may have written it
        return None


def _answer(cache: Reporting, question: Question) -> dict[str, Any]:
    """Whether memory has the key, and what the learned policy knows of it."""
    if question.key is None:
        return {"id": question.id}
    tiers = cache._tiers
    try:
        return {
            "id": question.id,
            "held": tiers.memory_has([question.key]),
            "learned": tiers.explain(question.key),
        }
    except (TypeError, ValueError):  # no key at all
        return {"id": question.id}
