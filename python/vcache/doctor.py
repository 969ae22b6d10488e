"""`python -m vcache doctor`: looks whether Redis is as a cache needs it, and says what to do."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from . import _core
from ._config import to_core
from ._symptoms import (
    COMMANDS,
    Finding,
    parse_info,
    symptoms_of_clock,
    symptoms_of_info,
    symptoms_of_link,
    symptoms_of_user,
)
from .errors import ConfigError, RedisError
from .options import RedisOptions, options_of_url

__all__ = ["examine", "main"]

FINE, PROBLEMS, UNREACHABLE = 0, 1, 2
_PATIENCE = 2.0  # seconds for each answer, where the options name no timeout


def main(arguments: Sequence[str]) -> int:
    """Prints the findings; 0: fine, 1: there are problems, 2: Redis cannot be reached."""
    parser = argparse.ArgumentParser(
        prog="python -m vcache doctor",
        description="Connects to Redis as the environment says and looks whether it is as a cache"
        " needs it. Exit status: 0 fine, 1 problems, 2 unreachable.",
    )
    parser.add_argument("--redis", metavar="URL", help="another Redis than that of the environment")
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


def _configured(url: str | None) -> tuple[RedisOptions | None, str]:
    from .env import arguments_from_env

    arguments = arguments_from_env()
    namespace = arguments.get("namespace", "vcache")
    redis = arguments.get("redis") if url is None else options_of_url(url, {})
    if redis is None:
        return None, namespace
    return replace(
        redis,
        timeout=redis.timeout or _PATIENCE,
        connect_timeout=redis.connect_timeout or _PATIENCE,
    ), namespace


def examine(redis: RedisOptions, namespace: str) -> tuple[list[Finding], int]:
    """What was found, and the exit status that it calls for."""
    try:
        findings = list(_findings(redis, namespace))
    except ConfigError as error:
        return [Finding("configuration", "problem", str(error))], PROBLEMS
    except RedisError as error:
        kind, _, reason = str(error).partition(": ")
        if kind == "auth":
            advice = "give the user and password of the server"
            return [Finding("connection", "problem", f"refused: {reason}", advice)], PROBLEMS
        return [Finding("connection", "problem", f"{kind}: {reason}")], UNREACHABLE
    is_fine = all(finding.level != "problem" for finding in findings)
    return findings, FINE if is_fine else PROBLEMS


def _findings(redis: RedisOptions, namespace: str) -> Iterator[Finding]:
    core = to_core(redis)
    start = time.perf_counter()
    _core.query_redis(core, [["PING"]])
    taken = (time.perf_counter() - start) * 1e3
    yield Finding("connection", "ok", f"connected, logged in and answered in {taken:.0f} ms")
    yield from symptoms_of_link(redis)
    sent = time.time()
    seconds, info = _core.query_redis(core, [["TIME"], ["INFO"]])
    middle = (sent + time.time()) / 2
    figures = parse_info(info) if isinstance(info, bytes) else {}
    yield from symptoms_of_info(figures, redis.pool_size)
    if isinstance(seconds, list):
        yield symptoms_of_clock(int(seconds[0]) + int(seconds[1]) / 1e6 - middle)
    yield from symptoms_of_user(
        _try_commands(core, redis, namespace), _try_tracking(core, namespace)
    )


def _try_commands(core: _core.RedisOptions, redis: RedisOptions, namespace: str) -> list[Any]:
    # A server says at once whether a command is allowed, and runs those behind MULTI with EXEC
    # only, which does not come.
    (multi,) = _core.query_redis(core, [["MULTI"]])
    if isinstance(multi, RedisError):
        return [multi] * len(COMMANDS)
    words = [[word.format(namespace, redis.db) for word in command] for command in COMMANDS]
    return _core.query_redis(core, [["MULTI"], *words, ["DISCARD"]])[1:-1]


def _try_tracking(core: _core.RedisOptions, namespace: str) -> list[Any]:
    tracking = ["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", f"{namespace}:"]
    return _core.query_redis(core, [["HELLO", "3"], tracking])


def _print(address: str | None, findings: Sequence[Finding], as_json: bool) -> None:
    if as_json:
        report = {"redis": address, "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
        return
    lines = [f"Redis at {address}"] if address else []
    for finding in findings:
        lines.append(f"  {finding.level:<8} {finding.check:<13} {finding.text}")
        if finding.advice:
            lines.append(f"  {'':<8} {'':<13} → {finding.advice}")
    sys.stdout.write("\n".join(lines) + "\n")
