"""The caches that announced themselves, as a command reads them.

What lies in Redis may be anybody's, so that a record counts only where each field is of its type,
and no text of it moves the cursor of a terminal.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .._announcing import MARK, MOST_RECORD
from .._boards import SLOTS, FolderBoard, slot_name
from .._rights import prefixes
from ..errors import ConfigError
from ..options import RedisOptions
from ._place import Place, ask_all

__all__ = ["Answer", "Figures", "Found", "Live", "Record", "find_live", "printable", "total_of"]


class Answer(msgspec.Struct, frozen=True):
    """What a cache said to a question; None where it could not say."""

    id: str
    held: bool | None = None
    learned: dict[str, Any] | None = None


class Figures(msgspec.Struct, frozen=True):
    """Those of vcache.Stats that are shown."""

    hits: int = 0
    misses: int = 0
    requests: int = 0
    memory_hits: int = 0
    redis_hits: int = 0
    source_calls: int = 0
    coalesced: int = 0
    evictions: int = 0
    expired: int = 0
    declined: int = 0
    errors: int = 0
    skipped: int = 0
    stale_served: int = 0
    entries: int = 0
    memory_bytes: int = 0
    memory_limit: int = 0
    cost_saved: float = 0.0
    seconds_saved: float = 0.0
    latency: dict[str, dict[str, dict[str, float]]] = {}
    groups: dict[str, dict[str, int]] = {}
    policy: dict[str, Any] = {}
    model: dict[str, Any] | None = None
    redis: dict[str, Any] | None = None


class Record(msgspec.Struct, frozen=True):
    """What a cache left of itself."""

    namespace: str
    host: str
    pid: int
    started: float
    written: float
    stats: Figures
    program: str = ""
    heartbeat: float = 5.0
    memory_ttl: float | None = None
    promotion_threshold: int = 1
    admits_all: bool = True
    access_log: str | None = None
    answer: Answer | None = None


@dataclass(frozen=True)
class Live:
    """A live cache: who wrote the record, where it was found ("redis", "folder"), its age."""

    id: str
    where: str
    age: float
    record: Record

    @property
    def name(self) -> str:
        """Host and process, with the program where it is known."""
        program = f" {self.record.program}" if self.record.program else ""
        return f"{self.record.host}:{self.record.pid}{program}"


@dataclass
class Found:
    """Live caches, and the servers that could not be asked, with why."""

    caches: list[Live] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def find_live(place: Place, folder: FolderBoard | None = None) -> Found:
    """The caches of this user's folder and those of the Redis of a place."""
    found = Found()
    now = time.time()
    try:
        board = folder or FolderBoard(place.in_redis)
        names = board.namespaces() if place.namespace is None else {place.namespace}
        for name in sorted(names):
            own = folder or FolderBoard(name)
            read = _read(own.all_live(MOST_RECORD), "folder", now)
            found.caches += [live for live in read if not _has_ended(live.record)]
    except (ConfigError, OSError) as error:
        found.failures["folder"] = str(error)
    if place.redis is not None:
        _read_redis(place.redis, place.in_redis, found, now)
    found.caches.sort(key=lambda live: (live.record.namespace, live.record.host, live.record.pid))
    return found


def _has_ended(record: Record) -> bool:
    """Whether its process, on this host, is gone: it was killed a moment ago."""
    if record.host != os.uname().nodename or record.pid <= 0:
        return False
    try:
        os.kill(record.pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another's
        return False
    return False


def _read_redis(redis: RedisOptions, namespace: str, found: Found, now: float) -> None:
    own = prefixes(namespace, bool(redis.nodes and not redis.service))[1]
    command = ["MGET", *(own + slot_name(slot) for slot in range(SLOTS))]
    for reply in ask_all(redis, [command]):
        if reply.error:
            found.failures[reply.server] = reply.error
        elif isinstance(reply.replies[0], list):  # else a node of a cluster that has other slots
            datas = (data for data in reply.replies[0] if isinstance(data, bytes))
            found.caches += _read(datas, "redis", now)


def _read(datas: Iterable[bytes], where: str, now: float) -> list[Live]:
    out = []
    for data in datas:
        mark = data[:MARK].decode("latin-1")
        try:
            raw = printable(msgspec.msgpack.decode(data[MARK:MOST_RECORD]))
            record = msgspec.convert(raw, Record)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            continue
        if mark.isalnum():
            out.append(Live(mark, where, max(0.0, now - record.written), record))
    return out


def printable(value: Any) -> Any:
    """The same with what no terminal should be given replaced in all texts."""
    if isinstance(value, str):
        return "".join(each if each.isprintable() else "?" for each in value)
    if isinstance(value, dict):
        return {printable(name): printable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [printable(item) for item in value]
    return value


_SUMMED = (
    *("hits", "misses", "requests", "memory_hits", "redis_hits", "source_calls", "coalesced"),
    *("evictions", "expired", "errors", "skipped", "stale_served", "entries", "memory_bytes"),
    *("memory_limit", "cost_saved", "seconds_saved"),
)


def total_of(caches: Iterable[Live]) -> dict[str, Any]:
    """Their figures added up, with the rates of the whole."""
    all_figures = [live.record.stats for live in caches]
    total = {name: sum(getattr(each, name) for each in all_figures) for name in _SUMMED}
    requests = total["requests"]
    for name, part in (("hit_rate", "hits"), ("memory_hit_rate", "memory_hits"),
                       ("redis_hit_rate", "redis_hits")):  # fmt: skip
        total[name] = total[part] / requests if requests else None
    return total
