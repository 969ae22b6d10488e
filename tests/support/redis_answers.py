"""The error answers of servers, each made by a real one where that can be done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest
import redis
from answering_proxy import Answer, Command
from polling import wait_until
from redis_server import RedisServer

Fault = Callable[[RedisServer], AbstractContextManager[object]]


@dataclass(frozen=True)
class ServerError:
    """kind: how the cache counts it. make: a block in which the server gives that answer.

    opens: whether it keeps calls away. is_over: False where the cache waits long before it asks
    again. `answer` is for those no server of today gives without a cluster.
    """

    kind: str
    make: Fault | None = None
    answer: Answer | None = None
    opens: bool = False
    is_over: bool = True


def settings(**values: str | int) -> Fault:
    """CONFIG SET for the length of a block."""

    @contextmanager
    def block(server: RedisServer) -> Iterator[None]:
        before = {}
        for name, value in values.items():
            option = name.replace("_", "-")
            before[option] = server.call("CONFIG", "GET", option)
            server.call("CONFIG", "SET", option, value)
        try:
            yield
        finally:
            for option, found in before.items():
                server.call("CONFIG", "SET", option, _value(found))

    return block


@contextmanager
def readonly(server: RedisServer) -> Iterator[None]:
    server.call("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        server.call("REPLICAOF", "NO", "ONE")


@contextmanager
def masterdown(server: RedisServer) -> Iterator[None]:
    with settings(replica_serve_stale_data="no")(server), readonly(server):
        yield


@contextmanager
def misconf(server: RedisServer) -> Iterator[None]:
    """Snapshots that fail, since a folder has the name of the file."""
    (server.folder / "dump.rdb").mkdir()
    server.call("CONFIG", "SET", "save", "1 1")
    server.call("SET", "dirty", "1")

    def failed() -> bool:
        return bool(server.info("persistence")["rdb_last_bgsave_status"] != "ok")

    wait_until(failed, what="a failed snapshot")
    try:
        yield
    finally:
        server.call("CONFIG", "SET", "save", "")
        (server.folder / "dump.rdb").rmdir()


@contextmanager
def loading(server: RedisServer) -> Iterator[None]:
    """DEBUG RELOAD, slowed down, for as long as the block lasts."""
    server.call("DEBUG", "POPULATE", "200000")
    server.call("CONFIG", "SET", "key-load-delay", "50")
    server.call("CONFIG", "SET", "loading-process-events-interval-bytes", "1024")
    reload = threading.Thread(target=server.call, args=("DEBUG", "RELOAD"))
    reload.start()
    try:
        yield
    finally:
        server.call("CONFIG", "SET", "key-load-delay", "0")
        reload.join()


@contextmanager
def busy(server: RedisServer) -> Iterator[None]:
    with settings(busy_reply_threshold=20)(server), server.client() as admin:
        admin.ping()
        script = threading.Thread(target=_run_for_ever, args=(server,))
        script.start()
        try:
            yield
        finally:
            wait_until(lambda: _is_killed(server), what="SCRIPT KILL")
            script.join()


@contextmanager
def max_clients(server: RedisServer) -> Iterator[None]:
    """The connections there are now are closed, and no other is let in but the admin's."""
    with server.client() as admin:
        admin.config_set("maxclients", "1")
        admin.execute_command("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "yes")
        try:
            yield
        finally:
            admin.config_set("maxclients", "10000")


def _with_password(server: RedisServer) -> AbstractContextManager[object]:
    """New connections must log in, and there are only new ones."""

    @contextmanager
    def block() -> Iterator[None]:
        with server.client() as admin:
            admin.config_set("requirepass", "canary")
            admin.execute_command("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "yes")
            try:
                yield
            finally:
                admin.config_set("requirepass", "")

    return block()


@contextmanager
def noperm(server: RedisServer) -> Iterator[None]:
    server.call("ACL", "SETUSER", "default", "-mget", "-set")
    try:
        yield
    finally:
        server.call("ACL", "SETUSER", "default", "+@all")


def says(text: str, *names: bytes) -> Answer:
    """The answer to the commands of those names, or to reads and writes of values."""
    wanted = names or (b"MGET", b"GET", b"SET")

    def answer(command: Command) -> bytes | None:
        return text.encode() + b"\r\n" if command[0].upper() in wanted else None

    return answer


_STRANGE_PUSH = ">2\r\n$8\r\nsurprise\r\n$1\r\nx\r\n"

SERVER_ERRORS = {
    "OOM": ServerError("oom", settings(maxmemory=1)),
    "READONLY": ServerError("readonly", readonly),
    "NOREPLICAS": ServerError("noreplicas", settings(min_replicas_to_write=1)),
    "MISCONF": ServerError("misconf", misconf),
    "LOADING": ServerError("loading", loading, opens=True),
    "MASTERDOWN": ServerError("masterdown", masterdown, opens=True),
    "BUSY": ServerError("server_busy", busy, opens=True),
    "NOAUTH": ServerError("auth", _with_password, opens=True, is_over=False),
    "NOPERM": ServerError("noperm", noperm),
    "max number of clients": ServerError("max_clients", max_clients, opens=True),
    "WRONGPASS": ServerError(
        "auth", answer=says("-WRONGPASS invalid username-password pair"), opens=True, is_over=False
    ),
    "CLUSTERDOWN": ServerError(
        "cluster", answer=says("-CLUSTERDOWN The cluster is down"), opens=True
    ),
    "MOVED": ServerError("cluster", answer=says("-MOVED 1 127.0.0.1:1")),
    "ASK": ServerError("cluster", answer=says("-ASK 1 127.0.0.1:1")),
    "TRYAGAIN": ServerError("cluster", answer=says("-TRYAGAIN Multiple keys request")),
    "CROSSSLOT": ServerError("cluster", answer=says("-CROSSSLOT Keys in request")),
    "WRONGTYPE": ServerError("wrongtype", answer=says("-WRONGTYPE Operation against a key")),
    "Protocol error": ServerError(
        "protocol", answer=says("-ERR Protocol error: unbalanced quotes"), opens=True
    ),
    "NOPROTO": ServerError("server", answer=says("-NOPROTO unsupported protocol"), opens=True),
    "unknown command": ServerError(
        "unknown_command", answer=says("-ERR unknown command 'MGET', with args")
    ),
    "ERR": ServerError("server", answer=says("-ERR something else, canary"), opens=True),
    # A push that nobody asked for is no answer: the error behind it is.
    "push": ServerError("oom", answer=says(_STRANGE_PUSH + "-OOM behind a push")),
}


def _value(found: object) -> str:
    assert isinstance(found, dict | list)
    value = next(iter(found.values())) if isinstance(found, dict) else found[1]
    return value.decode() if isinstance(value, bytes) else str(value)


def _run_for_ever(server: RedisServer) -> None:
    with pytest.raises(redis.ResponseError, match="killed"):
        server.call("EVAL", "while true do end", "0")


def _is_killed(server: RedisServer) -> bool:
    try:
        server.call("SCRIPT", "KILL")
    except redis.ResponseError as error:
        return "NOTBUSY" in str(error)
    return False
