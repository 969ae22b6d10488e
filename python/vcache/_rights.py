"""The commands that a cache needs of its Redis user, by the layout of the servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ._symptoms import Finding
from .errors import RedisError

__all__ = ["END", "commands_of", "prefixes", "symptoms_of_state", "symptoms_of_user"]

# In a form that is only asked about: after MULTI nothing runs.
_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("MGET", "{key}doctor"), ("SET", "{key}doctor", "0", "XX"),
    ("GETRANGE", "{key}doctor", "0", "0"), ("UNLINK", "{key}doctor"),
    ("PEXPIRE", "{key}doctor", "1"), ("PERSIST", "{key}doctor"), ("TIME",), ("PING",),
    ("COPY", "{own}doctor", "{own}tag:doctor"), ("INCRBY", "{own}doctor", "1"),
    ("PEXPIREAT", "{own}tag:doctor", "1"), ("SCAN", "0"),
    ("WATCH", "{key}doctor"), ("INFO", "server"), ("DBSIZE",),
    ("CLIENT", "ID"), ("CLIENT", "TRACKING", "OFF"),
)  # fmt: skip
_OF_ONE_SERVER = (("SELECT", "{db}"),)
_OF_A_CLUSTER = (("CLUSTER", "SLOTS"), ("READONLY",), ("ASKING",))
END = ("EXEC",)  # asked about without MULTI, which ends nothing
_CONTAINERS = {"CLIENT", "CLUSTER"}


def prefixes(namespace: str, in_cluster: bool) -> tuple[str, str]:
    """What comes before a key of the user's, and before the namespace's own: those of the core."""
    if in_cluster:
        return f"{{}}{namespace}:", f"{namespace}!{{{namespace}}}"
    return f"{namespace}:", f"{namespace}!"


def commands_of(namespace: str, db: int, in_cluster: bool) -> list[list[str]]:
    key, own = prefixes(namespace, in_cluster)
    commands = _COMMANDS + (_OF_A_CLUSTER if in_cluster else _OF_ONE_SERVER)
    return [[word.format(key=key, own=own, db=db) for word in command] for command in commands]


def symptoms_of_user(
    commands: Sequence[Sequence[str]], replies: Sequence[Any], tracking: Sequence[Any]
) -> Iterator[Finding]:
    """`replies` are those to `commands`; `tracking` those to HELLO 3 and CLIENT TRACKING."""
    refused = [
        " ".join(command[: 2 if command[0] in _CONTAINERS else 1])
        for command, reply in zip(commands, replies, strict=True)
        if isinstance(reply, RedisError) and "NOPERM" in str(reply)  # that of EXEC has it inside
    ]
    if refused:
        yield Finding(
            "user", "problem", f"may not run, or not on its keys: {', '.join(refused)}",
            "define the user as cpp/l2/README.md has it",
        )  # fmt: skip
    else:
        yield Finding("user", "ok", "may run all that vcache needs")
    if any(isinstance(reply, RedisError) for reply in tracking):
        yield Finding(
            "tracking", "advice", "RESP3 or CLIENT TRACKING is refused: what others change is"
            " seen when the copy in memory expires",
            "let the user run +client|tracking, or keep memory_ttl short",
        )  # fmt: skip
    else:
        yield Finding("tracking", "ok", "RESP3 and CLIENT TRACKING are allowed")


def symptoms_of_state(replies: Sequence[Any]) -> Finding:
    """Whether a node takes its cluster for well; `replies` are those to commands about keys."""
    down = [str(reply) for reply in replies if str(reply).startswith("CLUSTERDOWN")]
    if down:
        return Finding(
            "state", "problem", f"refuses commands: {down[0]}",
            "see in CLUSTER NODES who is missing; it serves when all slots have a primary again",
        )  # fmt: skip
    return Finding("state", "ok", "takes the cluster for well")
