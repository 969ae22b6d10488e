"""The entry of a key in Redis, read by its header as cpp/l2/codec/FORMAT.md has it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import msgspec

from .._rights import prefixes
from ..errors import RedisError
from ._live import printable
from ._place import Place, Reply, ask_all

__all__ = ["Entry", "InRedis", "entry_of", "find_entry"]

_HEADER = struct.Struct("<4sBBBBQ16s4IBBHIIIQQQff")
_HEAD = 96 + 65_536 + 8 + 64 * 258  # bytes: of the header, metadata and tags at most
_DTYPES = ("", "float32", "float16", "float64", "int8", "uint8", "int32", "int64")
_TAGS, _ZSTD, _ENCRYPTED, _PRECISION, _GRACE = 0x01, 0x02, 0x04, 0x18, 0x20


@dataclass(frozen=True)
class Entry:
    """What the header of a stored value says. Sizes are bytes, times seconds."""

    kind: str  # "vector" or "object"
    dtype: str
    shape: tuple[int, ...]
    stored_bytes: int
    payload_bytes: int
    compressed: bool
    precision: str  # "as set", "float16", "int8"
    encrypted: bool
    created: float  # seconds since the epoch, by the clock of Redis
    expires: float | None
    generation: int
    cost: float
    seconds: float
    tags: tuple[bytes, ...] | None  # None where they are encrypted
    tag_stamp: int
    metadata_keys: tuple[str, ...] | None  # likewise


@dataclass(frozen=True)
class InRedis:
    """What Redis has under a key; `why_not` is why it is not served, "" if it is."""

    asked: bool
    found: bool = False
    server: str = ""
    entry: Entry | None = None
    age: float | None = None
    ttl: float | None = None
    why_not: str = ""
    failures: tuple[str, ...] = ()
    is_away: bool = False


def find_entry(place: Place, key: bytes) -> InRedis:
    """What the Redis of a place has; of several servers the one that has the key."""
    if place.redis is None:
        return InRedis(asked=False)
    in_cluster = bool(place.redis.nodes and not place.redis.service)
    own_key, own = (text.encode() for text in prefixes(place.in_redis, in_cluster))
    named = own_key + key
    commands: list[list[bytes]] = [
        [b"GETRANGE", named, b"0", str(_HEAD - 1).encode()],
        [b"PTTL", named],  # no right that vcache needs
        [b"TIME"],
        [b"MGET", own + b"gen"],
    ]
    replies = ask_all(place.redis, commands)
    failures = [f"{reply.server}: {reply.error}" for reply in replies if reply.error]
    failures += _refusals(replies)
    generation = _generation(replies)
    for reply in replies:
        if not reply.error and isinstance(reply.replies[0], bytes) and reply.replies[0]:
            return _judged(place, reply, own, generation, tuple(failures))
    is_away = any(reply.is_away for reply in replies)
    return InRedis(True, failures=tuple(failures), is_away=is_away)


def _refusals(replies: list[Reply]) -> list[str]:
    """Of the first command, but for the redirects of a cluster."""
    out = []
    for reply in replies:
        first = None if reply.error else reply.replies[0]
        if isinstance(first, RedisError) and not str(first).startswith(("MOVED", "ASK")):
            out.append(f"{reply.server}: {printable(str(first))[:200]}")
    return out


def _generation(replies: list[Reply]) -> int:
    for reply in replies:
        found = None if reply.error else reply.replies[3]
        if isinstance(found, list) and isinstance(found[0], bytes) and found[0].isdigit():
            return int(found[0])
    return 0


def _judged(
    place: Place, reply: Reply, own: bytes, generation: int, failures: tuple[str, ...]
) -> InRedis:
    data, pttl, clock, _ = reply.replies
    entry = entry_of(data)
    if entry is None:
        return InRedis(
            True, True, reply.server, why_not="it is no value of vcache", failures=failures
        )
    now = int(clock[0]) + int(clock[1]) / 1e6 if isinstance(clock, list) else None
    ttl = None if entry.expires is None or now is None else entry.expires - now
    if isinstance(pttl, int) and pttl >= 0 and ttl is not None and not data[7] & _GRACE:
        ttl = pttl / 1000
    why_not = ""
    if ttl is not None and ttl <= 0:
        why_not = "it has expired, and is kept for its grace"
    elif entry.generation < generation:
        why_not = "a clear() ended it"
    elif entry.tags and _has_ended(place, own, entry):
        why_not = "an invalidate_tags() ended it"
    age = None if now is None else max(0.0, now - entry.created)
    return InRedis(True, True, reply.server, entry, age, ttl, why_not, failures)


def _has_ended(place: Place, own: bytes, entry: Entry) -> bool:
    """Whether one of its tags has no stamp, or a later one."""
    if place.redis is None or not entry.tags:
        return False
    names = [own + b"tag:" + tag for tag in entry.tags]
    for reply in ask_all(place.redis, [[b"MGET", *names]]):
        stamps = None if reply.error else reply.replies[0]
        if isinstance(stamps, list) and any(stamps):
            return any(
                not isinstance(stamp, bytes) or not stamp.isdigit() or int(stamp) > entry.tag_stamp
                for stamp in stamps
            )
    return True


def entry_of(data: bytes) -> Entry | None:
    """What the first bytes of a value say; None if they are of no value that is known here."""
    if len(data) < _HEADER.size:
        return None
    magic, version, kind, dtype, flags, _, _, *rest = _HEADER.unpack_from(data)
    shape, rest = rest[:4], rest[4:]
    ndim, _, tags_length, metadata_length, payload, original, created, expires = rest[:8]
    generation, cost, seconds = rest[8:]
    is_known = magic == b"VCHE" and version == 1 and kind < 2 and dtype < len(_DTYPES)
    if not is_known or ndim > 4 or metadata_length > 65_536:
        return None
    is_sealed = bool(flags & _ENCRYPTED)
    head = 96 + metadata_length + tags_length
    start = head if flags & 0x1E else (head + 63) // 64 * 64
    stamp, tags = _tags(data[96 + metadata_length : head]) if flags & _TAGS else (0, ())
    return Entry(
        kind="vector" if kind else "object",
        dtype=_DTYPES[dtype],
        shape=tuple(shape[:ndim]),
        stored_bytes=start + payload + (44 if is_sealed else 0),
        payload_bytes=original or payload,
        compressed=bool(flags & _ZSTD),
        precision={0x08: "float16", 0x10: "int8"}.get(flags & _PRECISION, "as set"),
        encrypted=is_sealed,
        created=created / 1000,
        expires=expires / 1000 if expires else None,
        generation=generation,
        cost=cost,
        seconds=seconds,
        tags=None if is_sealed else tags,
        tag_stamp=stamp,
        metadata_keys=None if is_sealed else _keys(data[96 : 96 + metadata_length]),
    )


def _tags(data: bytes) -> tuple[int, tuple[bytes, ...]]:
    if len(data) < 8:
        return 0, ()
    tags, place = [], 8
    while place + 2 <= len(data):
        length = int.from_bytes(data[place : place + 2], "little")
        tags.append(data[place + 2 : place + 2 + length])
        place += 2 + length
    return int.from_bytes(data[:8], "little"), tuple(tags)


def _keys(data: bytes) -> tuple[str, ...]:
    try:
        metadata: Any = msgspec.msgpack.decode(data) if data else {}
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return ()
    return tuple(str(printable(str(key))) for key in metadata) if isinstance(metadata, dict) else ()
