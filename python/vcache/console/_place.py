"""Which caches a command is about, and how it ends: what its commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any

from .._config import CHECKS
from .._topology import ask, failure_of, find_servers
from ..errors import ConfigError, RedisError
from ..options import RedisOptions, options_of_url, parse_redis, with_timeouts

__all__ = ["FINE", "INTERRUPTED", "NOTHING", "UNREACHABLE", "USAGE"]
__all__ += ["Place", "Reply", "add_place", "ask_all", "parser_of", "place_of", "run", "write_json"]

FINE, NOTHING, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
_PATIENCE = 2.0  # seconds for each answer, where the options name no timeout


@dataclass(frozen=True)
class Place:
    """A Redis, if there is one, and the namespaces: None for all that this user's caches have."""

    redis: RedisOptions | None
    namespace: str | None

    @property
    def in_redis(self) -> str:
        """The namespace that is looked at in Redis."""
        return self.namespace or "vcache"


def parser_of(command: str, description: str) -> argparse.ArgumentParser:
    """With the options that every command here has."""
    parser = argparse.ArgumentParser(
        prog=f"python -m vcache {command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


def add_place(parser: argparse.ArgumentParser) -> None:
    """Options that name another Redis or namespace than the environment."""
    parser.add_argument(
        "--redis",
        metavar="URL",
        action="append",
        default=[],
        help="another Redis than that of the environment; several are a list of servers",
    )
    parser.add_argument(
        "--namespace",
        metavar="NAME",
        help="of these caches (default: that of the environment; vcache in Redis, else all)",
    )


def place_of(given: argparse.Namespace) -> Place:
    """As the environment says and the options change it. Raises ConfigError."""
    from ..env import arguments_from_env

    arguments = arguments_from_env()
    redis = arguments.get("redis")
    if given.redis:
        urls = given.redis
        redis = options_of_url(urls[0], {}) if len(urls) == 1 else parse_redis(urls)
    namespace = given.namespace
    if namespace is None:
        namespace = arguments.get("namespace")
    if namespace is not None:
        CHECKS["namespace"](namespace, "--namespace")
    if redis is not None:
        redis = with_timeouts(redis, _PATIENCE, _PATIENCE)
    return Place(redis, namespace)


@dataclass(frozen=True)
class Reply:
    """What one server said; `error` where it said nothing."""

    server: str
    replies: list[Any]
    error: str = ""
    is_away: bool = False


def ask_all(redis: RedisOptions, commands: Sequence[Sequence[Any]]) -> list[Reply]:
    """The replies of each server that holds keys. Raises ConfigError for an address that is none.

    Where none is found, one reply that says why.
    """
    route = find_servers(redis)
    out: list[Reply] = []
    for server in route.servers:
        try:
            out.append(Reply(server.address, ask(server, commands)))
        except (RedisError, ConfigError) as error:
            finding, is_away = failure_of(error)
            out.append(Reply(server.address, [], finding.text, is_away))
    if not out:
        told = "; ".join(finding.text for finding in route.findings if finding.level == "problem")
        out.append(Reply(redis.address, [], told or "no server was found", True))
    return out


def run(parser: argparse.ArgumentParser, command: Callable[[], int]) -> int:
    """The exit status of `command`; errors of its arguments end it as argparse does."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know ASCII only
    try:
        return command()
    except (ConfigError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            return _deaf()
        parser.error(str(error))
    except RedisError as error:
        sys.stderr.write(f"{parser.prog}: Redis: {error}\n")
        return UNREACHABLE
    except KeyboardInterrupt:
        sys.stderr.write(f"{parser.prog}: interrupted\n")
        return INTERRUPTED


def _deaf() -> int:
    """Nobody reads what is written, as behind `| head`."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FINE


def write_json(report: object) -> None:
    import json

    sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=True, default=str) + "\n")
