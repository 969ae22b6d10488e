"""What the servers of Redis say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._symptoms import parse_info
from ._live import printable
from ._place import Place, ask_all

__all__ = ["ServerFigures", "server_figures"]

_NUMBERS = (
    *("used_memory", "maxmemory", "evicted_keys", "expired_keys", "connected_clients"),
    *("instantaneous_ops_per_sec", "keyspace_hits", "keyspace_misses"),
)


@dataclass(frozen=True)
class ServerFigures:
    """Of one server; what it does not tell is absent of `figures`, and `error` is why."""

    server: str
    figures: dict[str, Any]
    error: str = ""
    is_away: bool = False


def server_figures(place: Place) -> list[ServerFigures]:
    """Of each server that holds keys; none without Redis."""
    if place.redis is None:
        return []
    out = []
    for reply in ask_all(place.redis, [["INFO"], ["DBSIZE"]]):
        if reply.error:
            out.append(ServerFigures(reply.server, {}, reply.error, reply.is_away))
            continue
        info, keys = reply.replies
        figures: dict[str, Any] = {}
        if isinstance(info, bytes):
            told = parse_info(info)
            figures = {n: int(told[n]) for n in _NUMBERS if told.get(n, "").isdigit()}
            for name in ("redis_version", "valkey_version", "maxmemory_policy"):
                if name in told:
                    figures[name] = printable(told[name])
        if isinstance(keys, int):
            figures["keys"] = keys
        error = "" if isinstance(info, bytes) else "INFO is refused"
        out.append(ServerFigures(reply.server, figures, error))
    return out
