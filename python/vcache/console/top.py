"""`python -m vcache top`: live caches followed on a terminal."""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

from ..durations import duration_option
from ..errors import ConfigError
from ._asking import Asker, asker
from ._live import find_live
from ._place import FINE, NOTHING, UNREACHABLE, Place, add_place, parser_of, place_of, run
from ._server import server_figures
from ._snapshot import Snapshot, next_snapshot

__all__ = ["main"]

_LEAST_EVERY = 0.2  # seconds
_WATCHED = 4.0  # seconds for which caches tell their figures each second
_NO_RICH = "top needs rich: pip install 'vcache[console]'; stats does without"
_DESCRIPTION = """\
Shows hit rates by tier, latencies, memory, evictions, who decides them, what was saved and the
busiest groups of live caches (see stats), until q or Ctrl-C. The caches tell their figures each
second while somebody watches. Fits a terminal of 80 columns and 24 lines. With --json, and where
the output is no terminal, one line of JSON or one view each time; --once ends after the first.
Exit status: 0 fine, 1 nothing to show, 2 an argument or variable is not usable, 3 Redis cannot be
reached and no cache was found, 130 interrupted."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command; its exit status."""
    parser = parser_of("top", _DESCRIPTION)
    add_place(parser)
    parser.add_argument("--once", action="store_true", help="show it once and end")
    parser.add_argument(
        "--every", metavar="DURATION", default="1s", help="from one view to the next (default: 1s)"
    )
    given = parser.parse_args(list(arguments))
    if not given.json and find_spec("rich") is None:
        parser.error(_NO_RICH)
    return run(parser, lambda: _top(given))


def _top(given: argparse.Namespace) -> int:
    every = duration_option(given.every, "--every")
    if every < _LEAST_EVERY:
        raise ConfigError(f"--every={given.every!r}: allowed is at least 200ms")
    place = place_of(given)
    with asker(place) as watcher:
        if given.json:
            return _lines_of_json(place, watcher, every, given.once)
        from ._view import is_screen

        if given.once or not is_screen():
            return _printed(place, watcher, every, given.once)
        return _on_screen(place, watcher, every)


def _snapshots(place: Place, watcher: Asker) -> Iterator[Snapshot]:
    snapshot: Snapshot | None = None
    while True:
        if watcher.is_free():
            watcher.ask(None, _WATCHED)
        snapshot = next_snapshot(snapshot, find_live(place), server_figures(place), time.time())
        yield snapshot


def _status(snapshot: Snapshot) -> int:
    if snapshot.caches:
        return FINE
    servers = snapshot.servers
    if servers and all(server.is_away for server in servers):
        return UNREACHABLE
    return FINE if any(server.figures for server in servers) else NOTHING


def _lines_of_json(place: Place, watcher: Asker, every: float, once: bool) -> int:
    for snapshot in _snapshots(place, watcher):
        sys.stdout.write(json.dumps(snapshot.as_dict(), default=str) + "\n")
        sys.stdout.flush()
        if once:
            return _status(snapshot)
        time.sleep(every)
    return FINE


def _printed(place: Place, watcher: Asker, every: float, once: bool) -> int:
    from ._view import print_view

    for snapshot in _snapshots(place, watcher):
        print_view(snapshot)
        if once:
            return _status(snapshot)
        time.sleep(every)
    return FINE


def _on_screen(place: Place, watcher: Asker, every: float) -> int:
    from ._view import Screen

    with Screen() as screen, _single_keys():
        for snapshot in _snapshots(place, watcher):
            screen.show(snapshot)
            if _quits(every):
                break
    return FINE


@contextmanager
def _single_keys() -> Iterator[None]:
    """Keys arrive at once and are not shown, where the input is a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _quits(seconds: float) -> bool:
    """Waits so long; whether q was pressed, or the terminal is gone."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if not sys.stdin.isatty():
            time.sleep(left)
            return False
        if select.select([sys.stdin], [], [], left)[0]:
            pressed = os.read(sys.stdin.fileno(), 32)
            if not pressed or pressed[:1] in (b"q", b"Q", b"\x03", b"\x04"):
                return True
            if pressed == b" ":
                return False
    return False
