"""`python -m vcache stats`: the figures of live caches and of their Redis, once."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from ._live import Figures, Found, Live, find_live, total_of
from ._place import (
    FINE,
    NOTHING,
    UNREACHABLE,
    Place,
    add_place,
    parser_of,
    place_of,
    run,
    write_json,
)
from ._server import ServerFigures, server_figures
from ._text import aligned, count, duration, latency, rate, size

__all__ = ["HINT", "cache_json", "group_rows", "latency_rows", "main", "policy_of"]

HINT = (
    "no live cache: they are seen where they were made with announce=True or VCACHE_ANNOUNCE=true,"
    " within 6 s"
)
_DESCRIPTION = """\
Prints what live caches counted, each and all together, and what Redis says of itself. A cache is
seen if it was made with announce=True or VCACHE_ANNOUNCE=true: those of this user on this host, and
those of the same Redis and namespace on any.
Exit status: 0 fine, 1 nothing to show, 2 an argument or variable is not usable, 3 Redis cannot be
reached and no cache was found, 130 interrupted."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command; its exit status."""
    parser = parser_of("stats", _DESCRIPTION)
    add_place(parser)
    given = parser.parse_args(list(arguments))
    return run(parser, lambda: _show(place_of(given), given.json))


def _show(place: Place, as_json: bool) -> int:
    servers = server_figures(place)
    found = find_live(place)
    if as_json:
        write_json(_report(place, servers, found))
    else:
        sys.stdout.write("\n".join(_lines(place, servers, found)) + "\n")
    if found.caches:
        return FINE
    if servers and all(server.is_away for server in servers):
        return UNREACHABLE
    return FINE if any(server.figures for server in servers) else NOTHING


def _report(place: Place, servers: Sequence[ServerFigures], found: Found) -> dict[str, Any]:
    return {
        "redis": None if place.redis is None else [asdict(server) for server in servers],
        "caches": [cache_json(live) for live in found.caches],
        "total": total_of(found.caches),
        "failures": found.failures,
    }


def cache_json(live: Live) -> dict[str, Any]:
    """A live cache for programs."""
    record: dict[str, Any] = msgspec.to_builtins(live.record)
    record.pop("answer")
    return {"id": live.id, "where": live.where, "age": round(live.age, 3)} | record


def _lines(place: Place, servers: Sequence[ServerFigures], found: Found) -> list[str]:
    lines = [line for server in servers for line in _of_server(server)]
    if place.redis is None:
        lines.append("Redis    none is configured")
    away = {server.server for server in servers if server.error}
    lines += [f"{where}: {why}" for where, why in found.failures.items() if where not in away]
    if not found.caches:
        return [*lines, HINT]
    lines += ["", *aligned([_HEADINGS, *map(_row, found.caches)], frozenset({0, 1}))]
    if len(found.caches) > 1:
        lines += ["", *_of_total(total_of(found.caches))]
    for live in found.caches:
        lines += _details(live)
    return lines


def _of_server(server: ServerFigures) -> list[str]:
    if not server.figures:
        return [f"Redis    {server.server}: {server.error}"]
    told = server.figures
    most = told.get("maxmemory", 0)
    of_most = f" of {size(most)}" if most else ""
    version = told.get("valkey_version") or told.get("redis_version", "?")
    parts = [
        f"version {version}",
        f"{count(told['keys'])} keys" if "keys" in told else "",
        f"{size(told['used_memory'])}{of_most}" if "used_memory" in told else "",
        f"{count(told['evicted_keys'])} evicted" if "evicted_keys" in told else "",
        f"{count(told['instantaneous_ops_per_sec'])} ops/s"
        if "instantaneous_ops_per_sec" in told
        else "",
        server.error,
    ]
    return [f"Redis    {server.server}: {', '.join(part for part in parts if part)}"]


_HEADINGS = ("cache", "namespace", "requests", "hit rate", "memory", "redis", "entries", "bytes",
             "evicted", "errors", "up")  # fmt: skip


def _row(live: Live) -> tuple[str, ...]:
    record, figures = live.record, live.record.stats
    whole = figures.requests or None
    shares = [
        rate(None if whole is None else part / whole)
        for part in (figures.hits, figures.memory_hits, figures.redis_hits)
    ]
    return (
        *(live.name, record.namespace, count(figures.requests), *shares, count(figures.entries)),
        *(size(figures.memory_bytes), count(figures.evictions), count(figures.errors)),
        duration(record.written - record.started),
    )


def _of_total(total: dict[str, Any]) -> list[str]:
    return [
        f"all      {count(total['requests'])} requests, hit rate {rate(total['hit_rate'])}"
        f" (memory {rate(total['memory_hit_rate'])}, redis {rate(total['redis_hit_rate'])}),"
        f" {duration(total['seconds_saved'])} and {total['cost_saved']:.4g} saved"
    ]


def _details(live: Live) -> list[str]:
    figures = live.record.stats
    redis = figures.redis
    saved = f"{duration(figures.seconds_saved)} of computing, {figures.cost_saved:.4g} of cost"
    lines = [f"policy   {policy_of(figures)}", f"saved    {saved}"]
    if redis is not None:
        told = f"breaker {redis.get('breaker')}, coherence {redis.get('coherence')}"
        lines.append(f"redis    {told}")
    for headings, rows in (
        (("latency", "tier", "p50", "p95", "p99"), latency_rows(figures)),
        (("group", "requests", "hit rate"), group_rows([live])[:10]),
    ):
        if rows:
            left = frozenset({0, 1}) if headings[0] == "latency" else frozenset({0})
            lines += aligned([headings, *rows], left)
    return ["", f"{live.name}, told {live.age:.0f} s ago", *(f"  {line}" for line in lines)]


def policy_of(figures: Figures) -> str:
    """Who decides what is evicted, as far as that is told."""
    leader, model = figures.policy.get("leader"), (figures.model or {}).get("version")
    parts = [
        str(figures.policy.get("active", "?")),
        f"{leader} leads" if leader else "",
        f"model {model}" if model is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def latency_rows(figures: Figures) -> list[tuple[str, ...]]:
    return [
        (operation, tier, *(latency(told.get(name)) for name in ("p50", "p95", "p99")))
        for operation, tiers in figures.latency.items()
        for tier, told in tiers.items()
    ]


def group_rows(caches: Sequence[Live]) -> list[tuple[str, ...]]:
    """Groups with requests and hit rate of all of them, the busiest first."""
    hits: Counter[str] = Counter()
    requests: Counter[str] = Counter()
    for live in caches:
        for name, told in live.record.stats.groups.items():
            hits[name] += told.get("memory_hits", 0) + told.get("redis_hits", 0)
            requests[name] += sum(told.values())
    return [
        (name, count(number), rate(hits[name] / number))
        for name, number in requests.most_common()
        if number > 0
    ]
