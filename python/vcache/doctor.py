"""`python -m vcache doctor`: looks whether Redis is as a cache needs it, and says what to do."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

from ._rights import END, commands_of, prefixes, symptoms_of_state, symptoms_of_user
from ._symptoms import (
    Finding,
    parse_info,
    symptoms_of_clock,
    symptoms_of_info,
    symptoms_of_link,
)
from ._topology import ask, failure_of, find_servers
from .errors import ConfigError, RedisError
from .options import RedisOptions, options_of_url, parse_redis, with_timeouts

__all__ = ["examine", "main"]

FINE, PROBLEMS, UNREACHABLE = 0, 1, 2
_PATIENCE = 2.0  # seconds for each answer, where the options name no timeout


def main(arguments: Sequence[str]) -> int:
    """Prints the findings; 0: fine, 1: there are problems, 2: no server can be reached."""
    parser = argparse.ArgumentParser(
        prog="python -m vcache doctor",
        description="Connects to Redis as the environment says and looks whether it is as a cache"
        " needs it: to each shard, each primary of a cluster, or all sentinels and the primary that"
        " they name. Exit status: 0 fine, 1 problems, 2 no server can be reached.",
    )
    parser.add_argument(
        "--redis",
        metavar="URL",
        action="append",
        default=[],
        help="another Redis than that of the environment; several are a list of servers",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    given = parser.parse_args(list(arguments))
    try:
        redis, namespace = _configured(given.redis)
    except ConfigError as error:
        findings, status = [Finding("configuration", "problem", str(error))], PROBLEMS
        _print(None, findings, given.json)
        return status
    if redis is None:
        _print(None, [Finding("configuration", "ok", "no Redis: memory only")], given.json)
        return FINE
    findings, status = examine(redis, namespace)
    _print(redis.address, findings, given.json)
    return status


def _configured(urls: Sequence[str]) -> tuple[RedisOptions | None, str]:
    from .env import arguments_from_env

    arguments = arguments_from_env()
    namespace = arguments.get("namespace", "vcache")
    redis = arguments.get("redis")
    if urls:
        redis = options_of_url(urls[0], {}) if len(urls) == 1 else parse_redis(urls)
    return None if redis is None else with_timeouts(redis, _PATIENCE, _PATIENCE), namespace


def examine(redis: RedisOptions, namespace: str) -> tuple[list[Finding], int]:
    """What was found, and the exit status that it calls for."""
    try:
        route = find_servers(redis)
    except ConfigError as error:
        return [failure_of(error)[0]], PROBLEMS
    findings, is_there = route.findings, list(route.asked.values())
    for server in route.servers:
        found: list[Finding] = []
        try:
            found += _findings(
                server, namespace, in_cluster=bool(redis.nodes and not redis.service)
            )
            is_there.append(True)
        except (ConfigError, RedisError) as error:
            failure, is_away = failure_of(error)
            found = [failure]
            is_there.append(not is_away)
        name = server.address if redis.nodes or redis.shards else ""
        findings += [replace(finding, server=name) for finding in found]
    if not any(is_there):
        return findings, UNREACHABLE
    is_fine = all(finding.level != "problem" for finding in findings)
    return findings, FINE if is_fine else PROBLEMS


def _findings(server: RedisOptions, namespace: str, in_cluster: bool) -> Iterator[Finding]:
    start = time.perf_counter()
    ask(server, [["PING"]])
    taken = (time.perf_counter() - start) * 1e3
    yield Finding("connection", "ok", f"connected, logged in and answered in {taken:.0f} ms")
    yield from symptoms_of_link(server)
    sent = time.time()
    seconds, info = ask(server, [["TIME"], ["INFO"]])
    middle = (sent + time.time()) / 2
    figures = parse_info(info) if isinstance(info, bytes) else {}
    if not in_cluster and figures.get("cluster_enabled") == "1":
        advice = "use redis+cluster://, or rediss+cluster:// for TLS"
        yield Finding("layout", "problem", "it is a node of a cluster", advice)
    yield from symptoms_of_info(figures, server.pool_size)
    if isinstance(seconds, list):
        yield symptoms_of_clock(int(seconds[0]) + int(seconds[1]) / 1e6 - middle)
    commands = commands_of(namespace, server.db, in_cluster)
    replies = _try_commands(server, commands) + ask(server, [END])
    if in_cluster:
        yield symptoms_of_state(replies)
    tracking = _try_tracking(server, prefixes(namespace, in_cluster))
    yield from symptoms_of_user([*commands, END], replies, tracking)


def _try_commands(server: RedisOptions, commands: list[list[str]]) -> list[Any]:
    # A server says at once whether a command is allowed, and runs those behind MULTI with EXEC
    # only, which does not come.
    (multi,) = ask(server, [["MULTI"]])
    if isinstance(multi, RedisError):
        return [multi] * len(commands)
    return ask(server, [["MULTI"], *commands, ["DISCARD"]])[1:-1]


def _try_tracking(server: RedisOptions, names: tuple[str, str]) -> list[Any]:
    words = [word for prefix in names for word in ("PREFIX", prefix)]
    return ask(server, [["HELLO", "3"], ["CLIENT", "TRACKING", "ON", "BCAST", *words]])


def _print(address: str | None, findings: Sequence[Finding], as_json: bool) -> None:
    if as_json:
        report = {"redis": address, "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
        return
    lines = [f"Redis at {address}"] if address else []
    ordered = sorted(findings, key=lambda finding: finding.server)  # first what is about all
    for server, found in groupby(ordered, key=lambda finding: finding.server):
        if server:
            lines.append(f"Server {server}")
        for finding in found:
            lines.append(f"  {finding.level:<8} {finding.check:<13} {finding.text}")
            if finding.advice:
                lines.append(f"  {'':<8} {'':<13} → {finding.advice}")
    sys.stdout.write("\n".join(lines) + "\n")
