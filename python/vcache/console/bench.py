"""`python -m vcache bench`: the cache measured on this machine, against what it may replace."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .. import __version__
from .._progress import bar
from ..durations import duration_option
from ..errors import ConfigError
from ._measuring import Measured, compete
from ._place import (
    FINE,
    UNREACHABLE,
    Place,
    add_place,
    ask_all,
    parser_of,
    place_of,
    run,
    write_json,
)
from ._text import aligned, latency

__all__ = ["main"]

_LEAST, _MOST = 0.02, 60.0  # seconds
_NOTES = """\
Each figure is the best of several rounds that take turns; above 1x vcache is the faster one.
A dict has no bound, no expiry, no statistics and copies nothing: it is the floor, not a rival.
With much else running on the machine, or for values of other sizes, figures differ.
"""
_DESCRIPTION = """\
Measures the cache on this machine for some seconds: memory against a dict and NumPy, and, where one
is configured, Redis against redis-py if that is installed. In Redis it uses keys that begin with
"bench:" and removes them; they expire in two minutes anyway.
Exit status: 0 fine, 2 an argument or variable is not usable, 3 Redis cannot be reached, 130
interrupted."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command; its exit status."""
    parser = parser_of("bench", _DESCRIPTION)
    add_place(parser)
    parser.add_argument(
        "--seconds",
        metavar="DURATION",
        default="0.5",
        help="for each of some ten figures (default: 0.5)",
    )
    parser.add_argument("--no-redis", action="store_true", help="memory only")
    given = parser.parse_args(list(arguments))
    return run(parser, lambda: _bench(given))


def _bench(given: argparse.Namespace) -> int:
    seconds = duration_option(given.seconds, "--seconds")
    if not _LEAST <= seconds <= _MOST:
        raise ConfigError(f"--seconds={given.seconds!r}: allowed is 20ms to 1m")
    place = place_of(given)
    redis = None if given.no_redis else place.redis
    away = "" if redis is None else _away(Place(redis, place.namespace))
    rows = _measured(Place(None if away else redis, place.namespace), seconds)
    if given.json:
        write_json(_report(rows, away))
    else:
        sys.stdout.write(_table(rows))
        if away:
            sys.stdout.write(f"Redis cannot be reached: {away}\n")
        elif redis is None:
            sys.stdout.write("Redis was not measured: none is configured\n")
    return UNREACHABLE if away else FINE


def _away(place: Place) -> str:
    """Why Redis cannot be measured, "" if it can."""
    if place.redis is None:
        return ""
    replies = ask_all(place.redis, [["PING"]])
    return next((f"{reply.server}: {reply.error}" for reply in replies if reply.error), "")


def _measured(place: Place, seconds: float) -> list[Measured]:
    from ._matches import memory_matches, redis_matches

    rows = []
    with memory_matches() as inside, redis_matches(place) as outside:
        matches = [*inside, *outside]
        with bar("bench", len(matches)) as advance:
            for match in matches:
                rows.append(compete(match, seconds))
                advance(1)
    return rows


def _report(rows: Sequence[Measured], away: str) -> dict[str, Any]:
    return {
        "vcache": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "redis_away": away or None,
        "figures": [asdict(row) | {"faster": row.faster} for row in rows],
    }


def _table(rows: Sequence[Measured]) -> str:
    headings = ("work", "vcache", "against", "its time", "faster")
    cells = [
        (
            row.work,
            latency(row.seconds),
            row.against or "-",
            latency(row.against_seconds),
            "-" if row.faster is None else f"{row.faster:.3g}x",
        )
        for row in rows
    ]
    head = f"vcache {__version__}, Python {platform.python_version()}, {os.cpu_count()} CPUs"
    return "\n".join([head, "", *aligned([headings, *cells], frozenset({0, 2})), "", _NOTES])
