"""`python -m vcache explain KEY`: where a key is, why it was a miss, and what cannot be known."""

from __future__ import annotations

import argparse
import os
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..durations import duration_option
from ..errors import ConfigError
from ._asking import asker
from ._conclusions import Facts, conclusions, unknowns
from ._entry import InRedis, find_entry
from ._history import History, hash_of, read_history
from ._live import Answer, Found, Live, find_live, printable
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
from ._server import server_figures
from ._text import duration, size

__all__ = ["main"]

_POLL = 0.1  # seconds
_QUESTION = 5.0  # seconds for which it is put
_DESCRIPTION = """\
Says where the entry of KEY is: in the memory of which live caches (see stats), and in Redis with
its kind, size, age, time to live, the number of its tags and the keys of its metadata. Then why a
read of it is a miss, as far as stored stamps, counters, the learned policy and access logs tell;
and plainly what they cannot. It counts as no read anywhere. Access logs of caches of this user and
host are found, others are given.
Exit status: 0 it is somewhere and served, 1 it is not, 2 an argument or variable is not usable,
3 Redis cannot be reached, 130 interrupted."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command; its exit status."""
    parser = parser_of("explain", _DESCRIPTION)
    parser.add_argument("key", metavar="KEY", help="as given to get(), without a namespace")
    add_place(parser)
    parser.add_argument(
        "--access-log", metavar="FILE", action="append", default=[], help="may be given again"
    )
    parser.add_argument(
        "--wait", metavar="DURATION", default="4s", help="for live caches (default: 4s)"
    )
    given = parser.parse_args(list(arguments))
    return run(parser, lambda: _explain(given))


def _explain(given: argparse.Namespace) -> int:
    key = _key(given.key)
    wait = duration_option(given.wait, "--wait")
    place = place_of(given)
    entry = find_entry(place, key)
    found, answers = _asked(place, key, wait)
    facts = Facts(
        entry=entry,
        caches=found.caches,
        answers=answers,
        histories=_histories(found, given.access_log, key),
        servers=server_figures(place),
        now=time.time(),
    )
    if given.json:
        write_json(_report(given.key, place, facts, found))
    else:
        sys.stdout.write("\n".join(_lines(given.key, facts, found)) + "\n")
    return _status(facts)


def _key(text: str) -> bytes:
    key = os.fsencode(text)
    if not 1 <= len(key) <= 1024:
        raise ConfigError(f"KEY of {len(key)} bytes: allowed are 1 to 1024")
    return key


def _status(facts: Facts) -> int:
    is_held = any(answer.held for answer in facts.answers.values())
    if is_held or (facts.entry.found and not facts.entry.why_not):
        return FINE
    return UNREACHABLE if facts.entry.is_away else NOTHING


def _asked(place: Place, key: bytes, wait: float) -> tuple[Found, dict[str, Answer]]:
    """The live caches and what they answered in time, by their ids."""
    found = find_live(place)
    if not found.caches:
        return found, {}
    until = time.monotonic() + wait
    with asker(place) as one:
        while not one.is_free() and time.monotonic() < until:
            time.sleep(_POLL)
        question = one.ask(key, _QUESTION)
        answers: dict[str, Answer] = {}
        while len(answers) < len(found.caches) and time.monotonic() < until:
            time.sleep(_POLL)
            for live in find_live(place).caches:
                answer = live.record.answer
                if answer is not None and answer.id == question:
                    answers[live.id] = answer
        one.take_back()
    return found, answers


def _histories(found: Found, given: Sequence[str], key: bytes) -> list[History]:
    """Of the logs given and of those that caches of this user write."""
    own = [path for live in found.caches if (path := _own_log(live)) is not None]
    paths = dict.fromkeys([*map(os.path.realpath, given), *own])
    if not paths:
        return []
    from ..env import secret_from_env

    key_hash = hash_of(key, secret_from_env("key_secret"))
    return [read_history(path, key_hash) for path in paths]


def _own_log(live: Live) -> str | None:
    """The access log of a cache, if it is a file of this user on this host."""
    path = live.record.access_log
    if not path or live.record.host != os.uname().nodename:
        return None
    try:
        status = Path(path).lstat()
    except (OSError, ValueError):
        return None
    is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid()
    return path if is_ours else None


def _report(key: str, place: Place, facts: Facts, found: Found) -> dict[str, Any]:
    return {
        "key": key,
        "namespace": place.namespace,
        "redis": _redis_report(facts.entry),
        "caches": [_cache_report(live, facts.answers.get(live.id)) for live in facts.caches],
        "access_logs": [asdict(history) for history in facts.histories],
        "conclusions": conclusions(facts),
        "unknown": unknowns(facts),
        "failures": found.failures,
    }


def _redis_report(found: InRedis) -> dict[str, Any] | None:
    if not found.asked:
        return None
    report = asdict(found)
    entry = report["entry"]
    if entry is not None:
        tags = entry.pop("tags")
        entry["tags"] = None if tags is None else len(tags)
        del entry["tag_stamp"], entry["generation"]
    return report


def _cache_report(live: Live, answer: Answer | None) -> dict[str, Any]:
    return {
        "id": live.id,
        "name": live.name,
        "namespace": live.record.namespace,
        "held": None if answer is None else answer.held,
        "learned": None if answer is None else answer.learned,
    }


def _lines(key: str, facts: Facts, found: Found) -> list[str]:
    lines = [f"Key      {printable(key)}", *_redis_lines(facts.entry)]
    for live in facts.caches:
        answer = facts.answers.get(live.id)
        held = None if answer is None else answer.held
        told = {True: "has it", False: "does not have it", None: "did not answer"}[held]
        lines.append(f"Memory   {live.name} ({live.record.namespace}) {told}")
    if not facts.caches:
        lines.append("Memory   no live cache is announced")
    lines += [f"Log      {_history_line(history, facts.now)}" for history in facts.histories]
    lines += [f"Problem  {where}: {why}" for where, why in found.failures.items()]
    lines += ["", *(f"- {text}" for text in conclusions(facts))]
    lines += ["", "Not to be known from here:", *(f"- {text}" for text in unknowns(facts))]
    return lines


def _redis_lines(found: InRedis) -> list[str]:
    lines = [f"Redis    {failure}" for failure in found.failures]
    if not found.asked:
        return ["Redis    none is configured"]
    if not found.found:
        return [*lines, *([] if lines else ["Redis    does not have it"])]
    lines.append(f"Redis    has it, at {found.server}")
    if found.entry is not None:
        lines += [f"         {text}" for text in _entry_lines(found)]
    return lines


def _entry_lines(found: InRedis) -> list[str]:
    entry = found.entry
    if entry is None:
        return []
    shape = "x".join(map(str, entry.shape)) or "scalar"
    what = f"vector of {shape} {entry.dtype}" if entry.kind == "vector" else "object"
    forms = [
        "compressed" if entry.compressed else "",
        f"kept as {entry.precision}" if entry.precision != "as set" else "",
        "encrypted" if entry.encrypted else "",
    ]
    form = "".join(f", {each}" for each in forms if each)
    age = "unknown" if found.age is None else duration(found.age)
    ttl = "no expiry" if entry.expires is None else "unknown ttl"
    if found.ttl is not None:
        ttl = f"{duration(found.ttl)} left" if found.ttl > 0 else "expired"
    tags = "tags are encrypted" if entry.tags is None else f"{len(entry.tags)} tags"
    keys = entry.metadata_keys
    named = "encrypted" if keys is None else ", ".join(keys[:10]) or "none"
    return [
        f"{what}, {size(entry.stored_bytes)}{form}",
        f"age {age}, {ttl}, {tags}, metadata: {named}",
        f"a miss costs {entry.cost:.4g}, and took {entry.seconds:.3g} s",
    ]


def _history_line(history: History, now: float) -> str:
    if not history.lookups:
        return f"{history.path}: {history.error or 'no look-up of it'}"
    hits = ", ".join(f"{number} {tier}" for tier, number in sorted(history.hits.items())) or "none"
    last = history.last_tier or "a miss"
    ago = duration(now - (history.last or now))
    return f"{history.path}: hits {hits}; {history.misses} misses; last {ago} ago ({last})"
