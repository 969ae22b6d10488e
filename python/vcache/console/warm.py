"""`python -m vcache warm FILE`: fills Redis with what a function makes of the lines of a file."""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .._messages import shown
from .._progress import bar
from ..cache import Cache
from ..embedding import EmbeddingCache
from ..errors import ConfigError, RedisError
from ._place import FINE, Place, add_place, parser_of, place_of, run, write_json

__all__ = ["FAILED", "Warmed", "main"]

FAILED = 1
_MOST_KEY = 1024  # bytes
_MOST_TEXT = 16 << 20
_MOST_BATCH = 100_000
_DESCRIPTION = """\
Reads FILE (- for the input), in which each line is a key, and stores in Redis what FUNCTION of
MODULE returns for those that are missing: a mapping, or a sequence or matrix aligned to the list of
keys that it is given. With --texts MODEL each line is a text and FUNCTION embeds a list of them, as
for EmbeddingCache(FUNCTION, model=MODEL). Empty lines are passed over. The working directory is
among the places where MODULE is looked for.
Exit status: 0 fine, 1 FUNCTION failed (what came before is stored), 2 an argument, variable or line
is not usable (nothing was computed), 3 Redis failed, 130 interrupted."""

Factory = Callable[[list[Any]], Any]


@dataclass
class Warmed:
    """How many lines were done: found in Redis, or computed and stored."""

    lines: int = 0
    found: int = 0
    computed: int = 0
    failed: int = 0
    seconds: float = 0.0


def main(arguments: Sequence[str]) -> int:
    """Runs the command; its exit status."""
    parser = parser_of("warm", _DESCRIPTION)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--factory", metavar="MODULE:FUNCTION", required=True)
    parser.add_argument("--texts", metavar="MODEL", help="lines are texts to embed for this model")
    parser.add_argument("--kind", default="document", help="of the texts (default: document)")
    parser.add_argument("--batch", metavar="N", type=int, default=256, help="(default: 256)")
    parser.add_argument(
        "--ttl", metavar="DURATION", help="of what is stored (default: the cache's)"
    )
    parser.add_argument(
        "--keep-going", action="store_true", help="go on with the next batch where FUNCTION fails"
    )
    add_place(parser)
    given = parser.parse_args(list(arguments))
    return run(parser, lambda: _warm(given))


def _warm(given: argparse.Namespace) -> int:
    if not 1 <= given.batch <= _MOST_BATCH:
        raise ConfigError(f"--batch={given.batch}: allowed is 1 to {_MOST_BATCH}")
    place = place_of(given)
    if place.redis is None:
        raise ConfigError(
            "no Redis is configured, and memory would be gone with this command: allowed are"
            " --redis and the variables of Redis"
        )
    lines = _lines(given.file, _MOST_KEY if given.texts is None else _MOST_TEXT)
    factory = _factory(given.factory)
    with _cache(place, given) as cache:
        warmer = _Warmer(cache, factory, given)
        try:
            warmer.run(lines)
        finally:
            _print(warmer.warmed, given.json)
    return FAILED if warmer.warmed.failed else FINE


def _cache(place: Place, given: argparse.Namespace) -> Cache:
    from ..env import arguments_from_env

    own = {"memory": None, "announce": False, "metrics_interval": None, "access_log": None}
    arguments = arguments_from_env() | own
    arguments |= {"redis": place.redis, "namespace": place.in_redis, "strict": True}
    if given.ttl is not None and given.texts is None:
        arguments["ttl"] = given.ttl
    return Cache(**arguments)


class _Warmer:
    """Does the lines of a file, a batch at a time."""

    def __init__(self, cache: Cache, factory: Factory, given: argparse.Namespace) -> None:
        self._factory = factory
        self._batch, self._goes_on = given.batch, given.keep_going
        self.warmed = Warmed()
        if given.texts is None:
            self._do: Callable[[list[str]], object] = lambda keys: cache.get_or_set_many(
                keys, self._counted
            )
            return
        more: dict[str, Any] = {} if given.ttl is None else {"ttl": given.ttl}
        embeddings = EmbeddingCache(
            self._counted,
            model=given.texts,
            cache=cache,
            batch_size=given.batch,
            kind=given.kind,
            **more,
        )
        self._do = embeddings.embed

    def run(self, lines: Sequence[str]) -> None:
        started = time.perf_counter()
        try:
            with bar("warm", len(lines)) as advance:
                for start in range(0, len(lines), self._batch):
                    batch = list(lines[start : start + self._batch])
                    if not self._done(batch) and not self._goes_on:
                        return
                    advance(len(batch))
        finally:
            self.warmed.seconds = round(time.perf_counter() - started, 6)

    def _done(self, batch: list[str]) -> bool:
        before = self.warmed.computed
        try:
            self._do(batch)
        except (RedisError, ConfigError):
            raise
        except Exception as error:  # whatever the function raises, or what it returns is wrong
            self.warmed.failed += len(batch)
            text = str(error).splitlines()[:1]
            told = f"{type(error).__name__}: {text[0] if text else ''}"[:300]
            sys.stderr.write(f"vcache warm: {told} (from line {shown(batch[0])} on)\n")
            return False
        distinct = len(dict.fromkeys(batch))
        self.warmed.lines += len(batch)
        self.warmed.found += len(batch) - min(distinct, self.warmed.computed - before)
        return True

    def _counted(self, items: list[Any]) -> Any:
        result = self._factory(items)
        self.warmed.computed += len(items)
        return result


def _lines(name: str, most: int) -> list[str]:
    """Those that are not empty. Raises ConfigError for one that can be no key or text."""
    lines = []
    for number, raw in enumerate(_raw_lines(name), 1):
        line = raw.rstrip(b"\r\n")
        if not line:
            continue
        if len(line) > most:
            raise ConfigError(
                f"{name}: line {number} has {len(line)} bytes: allowed are at most {most}"
            )
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            raise ConfigError(f"{name}: line {number}: allowed is UTF-8 text") from None
    return lines


def _raw_lines(name: str) -> Iterator[bytes]:
    if name == "-":
        yield from sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield from file


def _factory(name: str) -> Factory:
    """The function that MODULE:FUNCTION names. Raises ConfigError if there is none."""
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise ConfigError(f"--factory={shown(name)}: allowed is MODULE:FUNCTION")
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # whatever a module of the user raises
        raise ConfigError(
            f"--factory={shown(name)}: {module_name} cannot be imported"
            f" ({type(error).__name__}: {error})"
        ) from None
    for part in path.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"--factory={shown(name)}: {module_name} has no {path}")
        found = getattr(found, part)
    if not callable(found) or inspect.iscoroutinefunction(found):
        raise ConfigError(f"--factory={shown(name)}: allowed is a function that is not async")
    factory: Factory = found
    return factory


def _print(warmed: Warmed, as_json: bool) -> None:
    if as_json:
        write_json(asdict(warmed))
        return
    sys.stdout.write(
        f"{warmed.lines} lines in {warmed.seconds:.1f} s: {warmed.computed} computed and stored,"
        f" {warmed.found} were there"
        + (f", {warmed.failed} failed" if warmed.failed else "")
        + "\n"
    )
